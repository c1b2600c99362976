// SPDX-License-Identifier: Apache-2.0
/// Two nodes: network namespaces of the demo's own with an underlay veth between them.
#pragma once

#include <array>
#include <string>

#include "demo/facts.hpp"

namespace particle::cli::demo {

struct DemoNode {
  std::string name;  ///< "node A"
  NetNs netns;
  Node node;
  IpAddress underlay_v4;
  IpAddress underlay_v6;
  [[nodiscard]] const IpAddress& underlay(Family family) const {
    return family == Family::v4 ? underlay_v4 : underlay_v6;
  }
};

using Topology = std::array<DemoNode, kNodes>;

inline constexpr const char* kUnderlayDevice = "underlay0";

/// Makes both nodes and the link; the veth's ends are born where they live. Everything goes when
/// the result does, unless a pool pins it.
Result<Topology> make_topology(const std::string& run_dir);

}  // namespace particle::cli::demo
