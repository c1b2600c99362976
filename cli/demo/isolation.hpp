// SPDX-License-Identifier: Apache-2.0
/// Proofs that tenants reach neither each other nor the node. Each one is shown both ways: what
/// must be reachable is, so that silence elsewhere means isolation and not a broken network.
#pragma once

#include "demo/facts.hpp"
#include "demo/topology.hpp"

namespace particle::cli::demo {

/// Adds a Check for every proof. Makes and deletes one more pool, which red alone has.
Result<void> prove_isolation(const Topology& topology, Facts& facts, const Watch& watch);

}  // namespace particle::cli::demo
