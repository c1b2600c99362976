// SPDX-License-Identifier: Apache-2.0
/// Pins, for a caller that makes many below one directory.
#pragma once

#include <string>

#include <particle/netns.hpp>

#include "netns/mount_home.hpp"

namespace particle::detail {

/// As the public functions of these names, but remembering where home is.
Result<void> pin_netns(const MountHome& home, const NetNs& netns, const std::string& path);
/// Looks for home ahead of a pin at `path`, for who has time now and none then. Nothing comes of a
/// failure: the pin looks again, and says why not.
void find_home(const MountHome& home, const std::string& path);
Result<void> unpin_netns(const MountHome& home, const std::string& path);

}  // namespace particle::detail
