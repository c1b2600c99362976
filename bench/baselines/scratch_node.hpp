// SPDX-License-Identifier: Apache-2.0
/// A node with one tenant's VTEP, in namespaces that nobody else has.
#pragma once

#include <particle/link.hpp>
#include <particle/netns.hpp>

namespace particle::baselines {

inline constexpr IfIndex kBridge{10};
inline constexpr IfIndex kVxlan{11};
/// Devices of container `i` start here, out of the way of everything else.
inline constexpr std::uint32_t kFirstDevice = 1000;

struct ScratchNode {
  FreshNetNs node;
  FreshNetNs vtep;  ///< the control plane's namespace: bridge br0 and vxlan vx0, both up
};

Result<ScratchNode> make_scratch_node();

/// 10.1.0.1 upwards in 10.1.0.0/16, for container `i` from 0.
IpAddress container_address(std::uint64_t i);
inline constexpr unsigned kContainerPrefix = 16;

}  // namespace particle::baselines
