// SPDX-License-Identifier: Apache-2.0
/// What kind of file a descriptor is: nsfs at all, and a network namespace in particular.
#pragma once

namespace particle::detail {

/// True for a file of the kernel's namespace file system. Works on O_PATH descriptors.
bool is_nsfs(int fd) noexcept;
/// True for an open network namespace. Kernel: fs/nsfs.c, NS_GET_NSTYPE since 4.11.
bool is_netns(int fd) noexcept;
/// True when the calling thread is in the network namespace `fd`; false when that cannot be told.
bool is_current_netns(int fd) noexcept;

}  // namespace particle::detail
