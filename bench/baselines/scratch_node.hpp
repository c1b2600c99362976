// SPDX-License-Identifier: Apache-2.0
/// A node with one tenant's VTEP, in namespaces that nobody else has.
#pragma once

#include <functional>

#include <particle/link.hpp>
#include <particle/netns.hpp>

namespace particle::baselines {

/// The bridge of container `i`, a device of the VTEP's namespace.
IfIndex bridge_of(std::uint64_t i);
/// How many bridges so many containers take.
std::uint64_t bridges_for(std::uint64_t containers);
/// Devices of container `i` start here, out of the way of everything else.
inline constexpr std::uint32_t kFirstDevice = 1000;

struct ScratchNode {
  FreshNetNs node;
  FreshNetNs vtep;  ///< the control plane's namespace: bridges br0, br1 ..., vxlan vx0 ..., all up
};

Result<ScratchNode> make_scratch_node(std::uint64_t containers);

/// 10.1.0.1 upwards in 10.1.0.0/16, for container `i` from 0.
IpAddress container_address(std::uint64_t i);
inline constexpr unsigned kContainerPrefix = 16;

/// The namespace of container `i`.
using GuestOf = std::function<Result<NetNs>(std::uint64_t)>;

/// Whether a run made what it claims: `vtep` holds the near end of every container's veth, and the
/// addresses of the first, the middle and the last container can be bound in their namespaces.
/// Errors: conflict, with what is missing.
Result<void> check_made(const NetNs& vtep, std::uint64_t containers, const GuestOf& guest_of);

}  // namespace particle::baselines
