// SPDX-License-Identifier: Apache-2.0
/// The demo's pools: one for each node and tenant, the tenants with the same addresses.
#pragma once

#include "demo/facts.hpp"
#include "demo/topology.hpp"

namespace particle::cli::demo {

/// The spec of tenant `tenant`'s pool on node `node`. Both tenants get the same prefixes.
PoolSpec pool_spec(const Options& options, const DemoNode& on, std::size_t node,
                   std::size_t tenant);

/// A pool that red alone has, outside every other pool's prefixes.
PoolSpec extra_spec(const Options& options, const DemoNode& on);

/// Errors: those of Node::create_pool.
Result<Pool> make_pool(const DemoNode& on, const PoolSpec& spec, std::size_t node,
                       std::size_t tenant, const Watch& watch);

/// Makes the four pools and tells each node of the other's.
Result<void> make_pools(const Topology& topology, Facts& facts, const Watch& watch);

/// Deletes every pool of the node.
Result<void> delete_pools(const Node& node);

}  // namespace particle::cli::demo
