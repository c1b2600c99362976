// SPDX-License-Identifier: Apache-2.0
#include "agent/local_pools.hpp"

#include <utility>

namespace particle::overlay {
namespace {

void note(std::vector<Error>& errors, Result<void> result) {
  if (!result) errors.push_back(std::move(result.error()));
}

}  // namespace

std::vector<Error> LocalPools::tell(Adapter& adapter, const std::vector<PoolInfo>& pools) {
  std::vector<Error> errors;
  std::map<std::string, Vtep> vteps;
  std::map<std::string, Announcement> wanted;
  for (const PoolInfo& pool : pools) {
    const auto before = announced_.find(pool.name);
    if (pool.health == PoolHealth::partial || pool.vxlan.empty()) {
      // It may be gone or whole in a moment.
      if (before == announced_.end()) continue;
      wanted.emplace(pool.name, before->second);
      const auto vtep = attached_.find(before->second.peer.tenant);
      if (vtep != attached_.end()) vteps.insert(*vtep);
      continue;
    }
    wanted.emplace(pool.name, announcement_of(node_, pool));
    vteps.insert_or_assign(pool.tenant, vtep_of(pool));
  }
  for (const auto& [tenant, vtep] : vteps) {
    const auto known = attached_.find(tenant);
    if (known != attached_.end() && known->second == vtep) continue;
    auto done = adapter.attach(vtep);
    if (done) attached_.insert_or_assign(tenant, vtep);
    note(errors, std::move(done));
  }
  for (auto it = announced_.begin(); it != announced_.end();) {
    auto done = wanted.contains(it->first) ? Result<void>{} : adapter.withdraw(it->first);
    it = done && !wanted.contains(it->first) ? announced_.erase(it) : std::next(it);
    note(errors, std::move(done));
  }
  for (const auto& [name, announcement] : wanted) {
    const auto known = announced_.find(name);
    if (known != announced_.end() && known->second == announcement) continue;
    if (!attached_.contains(announcement.peer.tenant)) continue;  // its error is noted already
    auto done = adapter.announce(announcement);
    if (done) announced_.insert_or_assign(name, announcement);
    note(errors, std::move(done));
  }
  for (auto it = attached_.begin(); it != attached_.end();) {
    auto done = vteps.contains(it->first) ? Result<void>{} : adapter.detach(it->first);
    it = done && !vteps.contains(it->first) ? attached_.erase(it) : std::next(it);
    note(errors, std::move(done));
  }
  if (errors.empty() && !std::exchange(told_all_, true)) note(errors, adapter.announced_all());
  return errors;
}

}  // namespace particle::overlay
