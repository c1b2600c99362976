// SPDX-License-Identifier: Apache-2.0
/// Nodes of one's own, as many as wanted, on one switch: for the demo of overlays and for benchmarks.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <particle/node.hpp>

namespace particle::bench {

struct FleetNode {
  std::string name;  ///< "n1"
  NetNs netns;
  Node node;
  IpAddress underlay;
};

struct Fleet {
  NetNs switch_netns;
  std::vector<FleetNode> nodes;
};

/// On the switch, reached from every node: where a server is that they share.
inline constexpr const char* kServerAddress = "192.0.2.250";
inline constexpr std::size_t kMaxFleet = 64;

/// Everything goes when the result does.
Result<Fleet> make_fleet(std::size_t nodes, const std::string& run_dir);

}  // namespace particle::bench
