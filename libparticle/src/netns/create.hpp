// SPDX-License-Identifier: Apache-2.0
/// create_netns for a thread that is a worker already, in two halves.
#pragma once

#include <vector>

#include <particle/netns.hpp>

namespace particle::detail {

/// Moves the calling thread, which must be a worker, into a namespace of its own.
/// Errors: those of unshare(2).
Result<void> enter_fresh_netns();

/// Writes the sysctls of the calling thread's namespace, opens it and a session in it.
/// Errors: those of create_netns but unshare's.
Result<FreshNetNs> furnish_netns_here(const std::vector<Sysctl>& sysctls);

}  // namespace particle::detail
