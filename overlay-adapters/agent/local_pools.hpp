// SPDX-License-Identifier: Apache-2.0
/// Tells an adapter of this node's pools: what it has not been told yet, and what is no more.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <particle/pool.hpp>

#include "overlay-adapters/adapter.hpp"

namespace particle::overlay {

class LocalPools {
 public:
  explicit LocalPools(std::string node) : node_(std::move(node)) {}

  /// What could not be told is tried again by the next call. Pools that are being made or removed, or
  /// are damaged, stay as they were told. Returns what went wrong, one error per pool or tenant.
  std::vector<Error> tell(Adapter& adapter, const std::vector<PoolInfo>& pools);
  [[nodiscard]] std::size_t told() const { return announced_.size(); }

 private:
  std::string node_;
  std::map<std::string, Vtep> attached_;           ///< by tenant
  std::map<std::string, Announcement> announced_;  ///< by pool
  bool told_all_ = false;
};

}  // namespace particle::overlay
