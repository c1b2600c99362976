// SPDX-License-Identifier: Apache-2.0
#include "etcd/allocation.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "etcd/client.hpp"
#include "etcd/directory.hpp"
#include "etcd/free_block.hpp"

namespace particle::overlay {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPatience{10'000};

/// The cluster as it was at one revision.
struct Snapshot {
  Directory directory;
  std::map<std::string, std::int64_t> tenant_revisions;  ///< by tenant; absent: no such key

  [[nodiscard]] Condition unchanged(const EtcdKeys& keys, const std::string& tenant) const {
    const auto found = tenant_revisions.find(tenant);
    if (found == tenant_revisions.end()) return {keys.tenant(tenant), Condition::What::created, 0};
    return {keys.tenant(tenant), Condition::What::modified, found->second};
  }
};

/// What one attempt came to: a value, or "somebody was faster" when there is none.
template <class T>
using Attempt = Result<std::optional<T>>;

/// Reads, decides and commits, again and again until it holds: when others were faster, and when a
/// server is gone, the next one being asked. An attempt whose answer was lost is found done by the
/// next.
class Table {
 public:
  explicit Table(const EtcdSettings& settings)
      : keys_(settings.cluster), client_(settings, stop_.get_token()) {}

  [[nodiscard]] const EtcdKeys& keys() const { return keys_; }

  Result<Snapshot> read() {
    auto listing = client_.list(keys_.root());
    if (!listing) return fail(std::move(listing.error()));
    Snapshot out{Directory(keys_), {}};
    for (const KeyValue& entry : listing->keys) {
      out.directory.put(entry);
      const auto parts = keys_.split(entry.key);
      if (parts && parts->kind == "tenants")
        out.tenant_revisions.emplace(parts->first, entry.modified);
    }
    return out;
  }

  template <class T>
  Result<T> until_done(const std::function<Attempt<T>(const Snapshot&)>& attempt) {
    const auto deadline = Clock::now() + kPatience;
    Error last = Error::of(Errc::busy, "etcd: others were faster, over and over", "try again");
    auto ready = client_.authenticate();
    for (milliseconds pause{4};; pause = std::min(pause * 2, milliseconds(200))) {
      Attempt<T> done = std::nullopt;
      if (ready) {
        auto snapshot = read();
        done = snapshot ? attempt(*snapshot) : fail(std::move(snapshot.error()));
      } else {
        done = fail(ready.error());
      }
      if (done && *done) return *std::move(*done);
      if (!done) {
        if (done.error().kind() != Errc::io) return fail(std::move(done.error()));
        last = done.error();
        client_.next_endpoint();
        ready = client_.authenticate();
      }
      if (Clock::now() > deadline) return fail(std::move(last));
      sleep_about(pause);
    }
  }

  /// Returns whether the conditions held.
  Result<bool> commit(const std::vector<Condition>& conditions,
                      const std::vector<Change>& changes) {
    auto done = client_.commit(conditions, changes);
    if (!done) return fail(std::move(done.error()));
    return done->done;
  }

 private:
  void sleep_about(milliseconds pause) {
    std::uniform_int_distribution<milliseconds::rep> some(pause.count() / 2, pause.count());
    std::this_thread::sleep_for(milliseconds(some(random_)));
  }

  std::stop_source stop_;
  EtcdKeys keys_;
  EtcdClient client_;
  std::mt19937_64 random_{std::random_device{}()};
};

bool is_announced(const Directory& directory, const std::string& tenant, const BlockEntry& block) {
  return std::any_of(directory.pools().begin(), directory.pools().end(), [&](const auto& entry) {
    const auto& announcement = entry.second.announcement;
    if (!announcement || entry.first.first != block.node || announcement->peer.tenant != tenant)
      return false;
    const auto& prefixes = announcement->peer.prefixes;
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const IpPrefix& prefix) { return prefix.overlaps(block.prefix); });
  });
}

Vni vni_of(const Directory& directory, const std::string& tenant) {
  const auto found = directory.tenants().find(tenant);
  return found == directory.tenants().end() ? Vni{} : found->second;
}

std::vector<Block> matching(const Directory& directory, const BlockFilter& filter) {
  std::vector<Block> out;
  for (const auto& [tenant, vni] : directory.tenants()) {
    if (!filter.tenant.empty() && filter.tenant != tenant) continue;
    for (const auto& [begin, one] : directory.blocks(tenant)) {
      if ((!filter.node.empty() && filter.node != one.node) ||
          (!filter.pool.empty() && filter.pool != one.pool) ||
          (filter.prefix && *filter.prefix != one.prefix))
        continue;
      out.push_back(
          {tenant, vni, one.prefix, one.node, one.pool, is_announced(directory, tenant, one)});
    }
  }
  return out;
}

/// The tenant's VNI: the one it has, the one that was asked for, or a free one.
Result<Vni> choose_vni(const Directory& directory, const BlockRequest& request) {
  const Vni has = vni_of(directory, request.tenant);
  const std::string tenant = "tenant " + request.tenant;
  if (has != Vni{}) {
    if (!request.vni || *request.vni == has) return has;
    return fail(Error::of(Errc::conflict,
                          tenant + " has VNI " + std::to_string(has.value()) + ", not " +
                              std::to_string(request.vni->value()),
                          "leave out --vni, or release all of the tenant's blocks first"));
  }
  std::set<Vni> taken;
  for (const auto& [vni, owner] : directory.vnis()) {
    if (owner != request.tenant) taken.insert(vni);
  }
  for (const auto& [key, pool] : directory.pools()) {
    if (!pool.announcement) continue;
    // A tenant that has pools already, made without asking here, keeps their VNI.
    if (pool.announcement->peer.tenant == request.tenant && !request.vni)
      return pool.announcement->vni;
    if (pool.announcement->peer.tenant != request.tenant) taken.insert(pool.announcement->vni);
  }
  const auto chosen = request.vni ? request.vni : find_free_vni(taken);
  if (!chosen) return fail(Error::of(Errc::exhausted, "every VNI is taken"));
  if (!taken.contains(*chosen)) return *chosen;
  return fail(Error::of(Errc::conflict,
                        "VNI " + std::to_string(chosen->value()) + " is another tenant's",
                        "leave out --vni to get one that is free"));
}

/// What the pool has in the request's family.
std::optional<BlockEntry> held(const Directory& directory, const BlockRequest& request) {
  for (const auto& [begin, one] : directory.blocks(request.tenant)) {
    if (one.node == request.node && one.pool == request.pool &&
        one.prefix.family() == request.subnet.family())
      return one;
  }
  return std::nullopt;
}

/// Allocated, or announced by somebody who did not ask.
std::vector<IpPrefix> taken_prefixes(const Directory& directory, const BlockRequest& request) {
  std::vector<IpPrefix> taken;
  for (const auto& [begin, one] : directory.blocks(request.tenant)) taken.push_back(one.prefix);
  for (const auto& [key, pool] : directory.pools()) {
    if (!pool.announcement || pool.announcement->peer.tenant != request.tenant) continue;
    // The node's own pool may be the one for which the addresses are allocated afterwards.
    if (key == Directory::PoolKey{request.node, request.pool}) continue;
    const auto& prefixes = pool.announcement->peer.prefixes;
    taken.insert(taken.end(), prefixes.begin(), prefixes.end());
  }
  return taken;
}

Attempt<Allocation> try_allocate(Table& table, const Snapshot& now, const BlockRequest& request) {
  auto vni = choose_vni(now.directory, request);
  if (!vni) return fail(std::move(vni.error()));
  Block block{request.tenant, *vni, {}, request.node, request.pool, false};
  if (const auto has = held(now.directory, request)) {
    block.prefix = has->prefix;
    block.announced = is_announced(now.directory, request.tenant, *has);
    if (request.subnet.contains(has->prefix) && has->prefix.length() == request.length)
      return Allocation{block, false};
    return fail(Error::of(Errc::conflict,
                          "pool " + request.pool + " of node " + request.node + " has " +
                              has->prefix.to_string() + " already",
                          "`particle release-block` gives it back; another pool can have another"));
  }
  const auto free =
      find_free_block(request.subnet, request.length, taken_prefixes(now.directory, request));
  if (!free) {
    return fail(Error::of(Errc::exhausted,
                          "tenant " + request.tenant + ": no /" + std::to_string(request.length) +
                              " is free in " + request.subnet.to_string(),
                          "`particle list-blocks` shows who has them; take a larger subnet"));
  }
  block.prefix = *free;
  const EtcdKeys& keys = table.keys();
  const std::string key = keys.block(request.tenant, *free);
  std::vector<Condition> conditions{now.unchanged(keys, request.tenant),
                                    {key, Condition::What::created, 0}};
  std::vector<Change> changes{{keys.tenant(request.tenant), tenant_value(*vni)},
                              {key, block_value(request.node, request.pool)}};
  if (!now.directory.vnis().contains(*vni)) {
    conditions.push_back({keys.vni(*vni), Condition::What::created, 0});
    changes.push_back({keys.vni(*vni), vni_value(request.tenant)});
  }
  auto done = table.commit(conditions, changes);
  if (!done) return fail(std::move(done.error()));
  if (!*done) return std::nullopt;
  return Allocation{block, true};
}

/// One tenant's blocks at a time: false when somebody was faster.
Result<bool> release_of_tenant(Table& table, const Snapshot& now, const std::string& tenant,
                               const std::vector<Block>& blocks) {
  const EtcdKeys& keys = table.keys();
  std::vector<Change> changes;
  for (const Block& block : blocks) {
    if (block.tenant == tenant) changes.push_back({keys.block(tenant, block.prefix), std::nullopt});
  }
  const bool last = changes.size() == now.directory.blocks(tenant).size();
  const Vni vni = vni_of(now.directory, tenant);
  // A transaction has its limits: of more blocks than that, the others are for the next attempt.
  const bool more = changes.size() > kMostChanges - 2;
  if (more) changes.resize(kMostChanges - 2);
  if (last && !more) {
    changes.push_back({keys.tenant(tenant), std::nullopt});
    changes.push_back({keys.vni(vni), std::nullopt});
  } else {
    changes.push_back({keys.tenant(tenant), tenant_value(vni)});
  }
  auto done = table.commit({now.unchanged(keys, tenant)}, changes);
  if (!done) return done;
  return *done && !more;
}

}  // namespace

Result<Allocation> allocate_block(const EtcdSettings& settings, const BlockRequest& request) {
  const unsigned bits = request.subnet.network().bits();
  if (request.length < request.subnet.length() || request.length > bits) {
    return fail(Error::of(Errc::invalid_argument,
                          "a block of length " + std::to_string(request.length) + " from " +
                              request.subnet.to_string(),
                          "the length is from " + std::to_string(request.subnet.length()) + " to " +
                              std::to_string(bits)));
  }
  Table table(settings);
  return table.until_done<Allocation>(
      [&](const Snapshot& now) { return try_allocate(table, now, request); });
}

Result<std::vector<Block>> release_blocks(const EtcdSettings& settings, const BlockFilter& filter) {
  Table table(settings);
  std::vector<Block> released;
  return table.until_done<std::vector<Block>>(
      [&](const Snapshot& now) -> Attempt<std::vector<Block>> {
        const std::vector<Block> blocks = matching(now.directory, filter);
        if (released.empty()) released = blocks;  // later attempts find fewer
        std::set<std::string> tenants;
        for (const Block& block : blocks) {
          tenants.insert(block.tenant);
          if (!block.announced) continue;
          return fail(Error::of(Errc::busy,
                                "block " + block.prefix.to_string() + " of tenant " + block.tenant +
                                    " is announced by node " + block.node,
                                "delete the pool there first"));
        }
        for (const std::string& tenant : tenants) {
          auto done = release_of_tenant(table, now, tenant, blocks);
          if (!done) return fail(std::move(done.error()));
          if (!*done) return std::nullopt;
        }
        return released;
      });
}

Result<std::vector<Block>> list_blocks(const EtcdSettings& settings, const BlockFilter& filter) {
  Table table(settings);
  return table.until_done<std::vector<Block>>(
      [&](const Snapshot& now) -> Attempt<std::vector<Block>> {
        return matching(now.directory, filter);
      });
}

}  // namespace particle::overlay
