// SPDX-License-Identifier: Apache-2.0
/// create_netns for a thread that is a worker already.
#pragma once

#include <vector>

#include <particle/netns.hpp>

namespace particle::detail {

/// Moves the calling thread, which must be a worker, into a namespace of its own.
/// Errors: those of create_netns.
Result<FreshNetNs> create_netns_here(const std::vector<Sysctl>& sysctls);

}  // namespace particle::detail
