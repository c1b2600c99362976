// SPDX-License-Identifier: Apache-2.0
/// VNIs and address blocks, given out by etcd transactions: no two tenants get one VNI, no two pools
/// of a tenant overlapping blocks, however many nodes ask at once and wherever one of them is killed.
///
/// Every transaction of a tenant compares and rewrites the tenant's key, so that they come one after
/// the other. An allocation belongs to a (tenant, node, pool, family) and stays until it is released:
/// asking again gives the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle/result.hpp>
#include <particle/types.hpp>

#include "overlay-adapters/etcd/settings.hpp"

namespace particle::overlay {

struct BlockRequest {
  std::string tenant;
  std::string node;
  std::string pool;
  IpPrefix subnet;         ///< the block is taken from it
  unsigned length = 0;     ///< the block's prefix length; the subnet's own takes exactly that
  std::optional<Vni> vni;  ///< the tenant's; unset: the one it has, else the lowest that is free
};

struct Block {
  std::string tenant;
  Vni vni;
  IpPrefix prefix;
  std::string node;
  std::string pool;
  bool announced = false;  ///< the node announces addresses of it now
};

struct Allocation {
  Block block;
  bool changed = false;  ///< false: it had been allocated before
};

/// Which blocks; an empty field or an unset one is every.
struct BlockFilter {
  std::string tenant;
  std::string node;
  std::string pool;
  std::optional<IpPrefix> prefix;
};

/// Waits for etcd 10 seconds at most. Errors: those of EtcdClient; invalid_argument for a length that
/// the subnet does not have; exhausted when the subnet is full; conflict when the VNI is another
/// tenant's, the tenant has another one, or the pool has another block; busy when others were faster
/// over and over.
Result<Allocation> allocate_block(const EtcdSettings& settings, const BlockRequest& request);

/// Releases all that match, and a tenant's VNI with its last block. Nothing that matches is no error.
/// Returns what was released. Errors: busy when one of them is announced; then nothing is released.
Result<std::vector<Block>> release_blocks(const EtcdSettings& settings, const BlockFilter& filter);

/// By tenant and address.
Result<std::vector<Block>> list_blocks(const EtcdSettings& settings, const BlockFilter& filter);

}  // namespace particle::overlay
