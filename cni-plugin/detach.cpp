// SPDX-License-Identifier: Apache-2.0
#include "detach.hpp"

#include <set>
#include <vector>

namespace particle::cni {
namespace {

/// The pools in which the holder has leases.
Result<std::set<std::string>> pools_of(const Node& node, const std::string& holder) {
  auto leases = node.leases({}, holder);
  if (!leases) return fail(std::move(leases.error()));
  std::set<std::string> pools;
  for (const auto& lease : *leases) pools.insert(lease.pool);
  return pools;
}

/// How many leases the pool has left. A pool that is not there holds none.
Result<std::uint64_t> release_in(const Node& node, const std::string& pool,
                                 const std::string& holder) {
  std::uint64_t left = 0;
  auto released = node.release(pool, holder, {}, &left);
  if (released) return left;
  if (released.error().kind() == Errc::not_found) return 0;
  // A pool that is half made or half removed has no lease either: one is made before the first and
  // removed after the last. try_retire_pool ends what was cut off.
  const auto pool_now = node.find_pool(pool);
  if (!pool_now &&
      (pool_now.error().kind() == Errc::busy || pool_now.error().kind() == Errc::not_found))
    return 0;
  return fail(std::move(released.error()));
}

}  // namespace

Answer<void> detach(const Call& call, const AttachmentKey& key, const std::string& fallback_pool) {
  const std::string doing = "detach " + key.container + " " + key.ifname;
  const auto holder = key.holder();
  if (!holder) return {};  // too long to have been attached
  auto found = call.store.find(key);
  if (!found && found.error().kind() == Errc::unsupported)
    return refuse(Code::later_state, doing + ": " + found.error().message(), found.error().hint);
  const bool known = found && *found;
  std::set<std::string> pools;
  if (known) {
    pools.insert((*found)->pool);
  } else if (!fallback_pool.empty()) {
    pools.insert(fallback_pool);
  }
  if (!found || fallback_pool.empty()) {
    auto others = pools_of(call.node, *holder);
    if (!others) return refuse(translate(others.error(), doing));
    pools.insert(others->begin(), others->end());
  }
  std::vector<std::string> empty;
  for (const auto& pool : pools) {
    auto left = release_in(call.node, pool, *holder);
    if (!left) return refuse(translate(left.error(), doing));
    if (*left == 0) empty.push_back(pool);
    call.step("lease.released");
  }
  // The record is last: until everything is given back, a repeated DEL finds it.
  if (auto removed = call.store.remove(key); !removed)
    return refuse(translate(removed.error(), doing));
  call.step("record.removed");
  const MadePools made = call.made_pools();
  for (const auto& pool : empty) made.try_retire(pool, call.conf.keep_pool);
  return {};
}

}  // namespace particle::cni
