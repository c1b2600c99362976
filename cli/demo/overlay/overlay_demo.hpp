// SPDX-License-Identifier: Apache-2.0
/// `particle demo --overlay NAME`: nodes that find each other through a real control plane.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "demo/facts.hpp"
#include "json.hpp"
#include "output.hpp"

namespace particle::cli::demo {

struct OverlayOptions {
  std::string overlay;  ///< etcd or evpn
  std::size_t nodes = 4;
  std::uint64_t endpoints = 100;  ///< of each node's first pool
  AddressMode mode = AddressMode::automatic;
};

/// What a new pool on one node took to be known.
struct Announced {
  std::string node;
  std::chrono::nanoseconds create{0};  ///< the call of create_pool
  std::chrono::nanoseconds first{0};   ///< from its return until one other node's packets arrived
  std::chrono::nanoseconds everywhere{0};  ///< until those of all others did
  std::chrono::nanoseconds withdrawn{0};   ///< from delete_pool's return until none of them knew it
};

struct OverlayFacts {
  OverlayOptions options;
  bool unprivileged = false;
  std::chrono::nanoseconds control_plane{0};  ///< until the daemons answered and the agents ran
  std::chrono::nanoseconds met{0};            ///< from then until all nodes reached all others
  std::vector<Announced> announced;
  Traffic traffic;  ///< every endpoint of every node to one of every other node
  std::chrono::nanoseconds total{0};
  [[nodiscard]] bool proven() const { return traffic.proven(); }
};

/// Leaves nothing behind, whatever happens. The process must have a single thread.
/// Errors: not_found for a daemon's program, with how to get it; permission_denied; interrupted; io when
/// the control plane does not come up or a node is not found.
Result<OverlayFacts> run_overlay(const OverlayOptions& options, const Watch& watch);

std::string to_text(const OverlayFacts& facts, const Style& style);
Json to_json(const OverlayFacts& facts);

}  // namespace particle::cli::demo
