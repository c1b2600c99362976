// SPDX-License-Identifier: Apache-2.0
/// Taking a lease and handing it to a command: what `lease`, `exec` and `run` share.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include <particle/netns.hpp>
#include <particle/node.hpp>

namespace particle::cli {

/// Leases. Without `wait`: waits long enough for whatever cools down now. Only the second attempt
/// needs to know how long that is, so the common case reads no pool record here.
Result<std::vector<Lease>> take_lease(const Node& node, LeaseRequest request,
                                      std::optional<std::chrono::milliseconds> wait);

/// Sets PARTICLE_HOLDER, PARTICLE_IP and PARTICLE_IP6. PARTICLE_IP is what the container is to bind
/// to: its IPv4 address where it has one.
void export_lease(const Lease& lease);

/// The namespace to enter: the pool's, or the lease's own where leases have one each.
Result<NetNs> open_lease_netns(const Node& node, const Lease& lease);

/// Moves the calling thread into it.
Result<void> enter_netns(const NetNs& target, const std::string& pool);

}  // namespace particle::cli
