// SPDX-License-Identifier: Apache-2.0
/// Any number of namespaces that play nodes, on one underlay switch.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle/netns.hpp>

namespace particle::test {

/// The nodes' underlay device is called as in netns_fixture.hpp: `underlay`. Node i (from 0) has
/// 192.0.2.(i+1)/24 and 2001:db8::(i+1)/64. Everything is up.
struct Fabric {
  NetNs switch_netns;  ///< with the bridge `fabric`, and a port `port<i>` for each node
  std::vector<NetNs> nodes;

  [[nodiscard]] static IpAddress underlay_v4(std::size_t node);
  /// Pulls or plugs the cable of a node.
  void connect(std::size_t node, bool connected) const;
};

/// Throws when the kernel refuses. At most 200 nodes.
Fabric make_fabric(std::size_t nodes, unsigned mtu = 1500);

}  // namespace particle::test
