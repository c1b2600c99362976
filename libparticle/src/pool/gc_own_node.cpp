// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "pool/gc.hpp"

namespace particle {
namespace {

class Collector {
 public:
  Collector(const NodeState& state, const Node& node, const GcOptions& options,
            std::vector<GcFinding>& findings)
      : state_(state), node_(node), options_(options), findings_(findings) {}

  void run() {
    collect_store();
    // What cannot be read first: the tenant's other pools cannot be judged beside it.
    for (const auto& name : pool_names()) collect_unreadable(name);
    for (const auto& tenant : names(state_.layout.tenants())) collect_peers(tenant);
    for (const auto& name : pool_names()) collect_pool(name);
    for (const auto& tenant : names(state_.layout.tenants())) collect_tenant(tenant);
    collect_vnis();
    collect_published();
    collect_leases();
    collect_temporaries();
    if (!options_.dry_run) state_.tidy_node();
  }

 private:
  static std::vector<std::string> names(const std::string& directory) {
    return list_directory(directory).value_or(std::vector<std::string>{});
  }
  void note(GcAction action, std::string object, std::string reason) {
    findings_.push_back({action, std::move(object), std::move(reason)});
  }
  /// Does what was found, unless this is a rehearsal; a failure turns the finding into `kept`.
  void settle(GcAction action, const std::string& object, const std::string& reason,
              const std::function<Result<void>()>& work) {
    auto done = options_.dry_run ? Result<void>{} : work();
    if (done) {
      note(action, object, reason);
    } else {
      note(GcAction::kept, object, reason + ", but: " + done.error().message());
    }
  }
  Result<void> execute(const Plan& plan, const std::string& tenant) {
    Places places = state_.places(tenant);
    auto done = apply(plan, places, {});
    if (!done) return fail(std::move(done.error()));
    return {};
  }

  void collect_pool(const std::string& name);
  void repair(const StoredPool& stored, const StoredTenant& tenant);
  void collect_store();
  void collect_endpoints(const PoolRecord& pool);
  void collect_unreadable(const std::string& name);
  [[nodiscard]] bool is_leased(const std::string& pool) const;
  void collect_peers(const std::string& tenant);
  Result<void> forget_peers(const std::string& tenant, const StoredTenant& stored);
  [[nodiscard]] std::vector<std::string> pool_names() const {
    auto all = names(state_.layout.pools());
    std::erase_if(all, [](const std::string& name) { return name.starts_with(kTemporaryPrefix); });
    return all;
  }
  void collect_tenant(const std::string& tenant);
  void collect_ports(const std::string& tenant, const StoredTenant& stored);
  [[nodiscard]] Result<std::vector<std::string>> orphaned_ports(const std::string& tenant,
                                                                const StoredTenant& stored) const;
  void collect_vnis();
  void collect_published();
  void collect_leases();
  void collect_temporaries();

  const NodeState& state_;
  const Node& node_;
  const GcOptions& options_;
  std::vector<GcFinding>& findings_;
  /// The veths of half-made pools, by alias: they go with their pool, in the kernel's own time.
  std::set<std::string> leaving_;
  /// What a rehearsal has reported: when it counts, the first repair spares the next pool the same.
  std::set<std::string> rehearsed_;
};

/// The namespaces of leases, each of which a cut-off lease or release may have left half-made, and
/// those that no lease answers for.
void Collector::collect_endpoints(const PoolRecord& pool) {
  auto lock = DirLock::acquire(state_.layout.pool(pool.name), DirLock::Mode::exclusive, false);
  auto store = LeaseStore::open_existing(state_.layout.leases());
  auto pins = state_.pinned_endpoints(pool.name);
  if (!lock || !store || !pins) return;
  std::vector<LeaseRow> rows;
  if (*store) rows = (*store)->list(pool.name, {}).value_or(rows);
  std::set<std::uint64_t> unanswered(pins->begin(), pins->end());
  for (const auto& row : rows) {
    const bool pinned = unanswered.erase(row.index) == 1;
    if (row.index >= pool.capacity) continue;
    const std::string endpoint = pool.endpoint(row.index).to_string();
    if (!pinned) {
      settle(GcAction::released,
             "lease " + endpoint + " of " + row.holder + " in pool " + pool.name,
             "its lease or release was cut off", [&]() -> Result<void> {
               if (auto gone = state_.remove_endpoint(pool, row.index); !gone) return gone;
               auto done = (*store)->release(pool.name, row.holder, row.index, pool.cooldown);
               if (!done) return fail(std::move(done.error()));
               return {};
             });
      continue;
    }
    auto plan = state_.endpoint_plan(pool, row.index);
    if (plan && plan->empty()) continue;
    const std::string object = "endpoint " + endpoint + " of pool " + pool.name;
    if (!plan) {
      note(GcAction::kept, object, plan.error().message());
      continue;
    }
    settle(GcAction::repaired, object, "its devices are missing or half-made",
           [&] { return execute(*plan, pool.tenant); });
  }
  for (const auto index : unanswered) {
    const std::string pin = state_.layout.endpoint_pin(pool.name, index);
    settle(GcAction::removed, pin, "no lease answers for this namespace",
           [&] { return state_.remove_endpoint(pool, index); });
  }
}

bool Collector::is_leased(const std::string& pool) const {
  auto store = LeaseStore::open_existing(state_.layout.leases());
  if (!store) return store.error().kind() != Errc::corrupt_state;
  if (!*store) return false;
  auto rows = (*store)->list(pool, {});
  return !rows || !rows->empty();
}

void Collector::collect_unreadable(const std::string& name) {
  auto seen = state_.load_pool(name);
  if (seen && seen->record) return;
  const std::string object = "pool " + name;
  // Nobody may be at work: a pool that is being removed has no record for a moment.
  auto lock = DirLock::try_acquire(state_.layout.root(), DirLock::Mode::exclusive);
  if (!lock || !*lock) {
    note(GcAction::kept, object, "a command is at work on this node");
    return;
  }
  seen = state_.load_pool(name);
  if ((seen && seen->record) || !file_exists(state_.layout.pool(name))) return;
  if (!seen && seen.error().kind() != Errc::corrupt_state) {
    note(GcAction::kept, object, seen.error().message());
    return;
  }
  const std::string reason = seen ? "it has no record" : seen.error().message();
  if (is_leased(name)) {
    note(GcAction::kept, object, reason + ", but endpoints are leased; delete it with --force");
    return;
  }
  settle(GcAction::removed, object, reason, [&]() -> Result<void> {
    auto plan = state_.discard_plan(name);
    if (!plan) return fail(std::move(plan.error()));
    return execute(*plan, {});
  });
}

void Collector::collect_peers(const std::string& tenant) {
  auto locks = state_.lock(tenant, false);
  if (!locks) return;
  auto stored = state_.load_tenant_leniently(tenant);
  if (!stored || !stored->unreadable_peers) return;
  settle(GcAction::removed, "peers of tenant " + tenant,
         stored->unreadable_peers->message() + "; add them again",
         [&] { return forget_peers(tenant, *stored); });
}

/// Takes every entry that is not a sibling's off the pools and the VTEP, then the file.
Result<void> Collector::forget_peers(const std::string& tenant, const StoredTenant& stored) {
  Plan plan;
  const auto remove = [&](const Place& place, std::vector<Change> changes) {
    if (changes.empty()) return;
    plan.steps.push_back({.name = "peers.forget",
                          .stage = Stage::teardown,
                          .what = "forget every peer in the namespace of " + place.to_string(),
                          .action = Configure{place, std::move(changes), true},
                          .undo = {}});
  };
  for (const auto& pool : stored.pools) {
    auto have = state_.observe_pin(state_.layout.pool_pin(pool.name));
    if (!have) return fail(std::move(have.error()));
    std::set<IpAddress> siblings;
    for (const auto& neighbour : NodeState::neighbours_of(pool, stored)) {
      for (const auto family : {Family::v4, Family::v6}) {
        if (const auto hop = next_hop(neighbour, family)) siblings.insert(*hop);
      }
    }
    std::vector<Change> changes;
    for (const auto& route : have->routes) {
      const bool of_peer = route.device == kGuestIndex && route.gateway &&
                           !siblings.contains(*route.gateway) && route.destination.length() != 0;
      if (of_peer) changes.push_back({route, Verb::remove, {}});
    }
    for (const auto& entry : have->neighbours) {
      if (entry.device == kGuestIndex && !siblings.contains(entry.address))
        changes.push_back({entry, Verb::remove, {}});
    }
    remove(Place::of_pool(pool.name), std::move(changes));
  }
  const TenantRecord record = stored.record_or_bare(tenant);
  auto vtep = state_.observe_pin(vxlan_pin(state_.layout, record));
  if (!vtep) return fail(std::move(vtep.error()));
  std::vector<Change> changes;
  for (const auto& entry : vtep->fdb) {
    if (entry.remote) changes.push_back({entry, Verb::remove, {}});
  }
  remove(vxlan_place(record), std::move(changes));
  plan.steps.push_back({.name = "record.peers",
                        .stage = Stage::record,
                        .what = "remove the unreadable record",
                        .action = RemoveFile{state_.layout.tenant_peers(tenant)},
                        .undo = {}});
  return execute(plan, tenant);
}

void Collector::collect_pool(const std::string& name) {
  auto before = state_.load_pool(name);
  if (!before || !before->record) return;
  auto locks = state_.lock(before->record->tenant, !options_.dry_run);
  if (!locks) {
    note(GcAction::kept, "pool " + name, locks.error().message());
    return;
  }
  // Whoever was at work has ended: what is half-made now stays so.
  auto stored = state_.load_pool(name);
  auto tenant = state_.load_tenant_leniently(before->record->tenant);
  if (!stored || !stored->record) return;
  if (!tenant) {
    note(GcAction::kept, "pool " + name, tenant.error().message());
    return;
  }
  if (stored->phase == PoolPhase::ready) {
    repair(*stored, *tenant);
    if (stored->record->isolation == Isolation::container) collect_endpoints(*stored->record);
    return;
  }
  leaving_.insert(link_alias(*stored->record));
  const char* reason =
      stored->phase == PoolPhase::making ? "its create was cut off" : "its delete was cut off";
  settle(GcAction::removed, "pool " + name, reason, [&]() -> Result<void> {
    auto plan = state_.removal_plan(*stored, *tenant);
    if (!plan) return fail(std::move(plan.error()));
    return execute(*plan, stored->record->tenant);
  });
}

void Collector::repair(const StoredPool& stored, const StoredTenant& tenant) {
  const PoolRecord& pool = *stored.record;
  const std::string object = "pool " + pool.name;
  if (!tenant.record) {
    note(GcAction::kept, object,
         "the record of tenant " + pool.tenant + "'s VTEP is gone; delete the pool with --force");
    return;
  }
  std::vector<PoolRecord> was;
  if (stored.resizing) was.push_back(*stored.resizing);
  auto plan = state_.repair_plan(pool, tenant, was);
  if (!plan) {
    note(GcAction::kept, object, plan.error().message());
    return;
  }
  std::string reason = stored.resizing ? "its resize was cut off: back to " +
                                             std::to_string(pool.capacity) + " endpoints"
                                       : "";
  if (options_.dry_run) {
    std::erase_if(plan->steps,
                  [&](const Step& step) { return !rehearsed_.insert(step.what).second; });
  }
  for (const auto& step : plan->steps) reason += (reason.empty() ? "missing: " : "; ") + step.what;
  if (stored.resizing) {
    for (const auto& sibling : tenant.pools) {
      if (sibling.name == pool.name || !are_connected(pool, sibling)) continue;
      plan_forget_neighbour(*plan, sibling, as_neighbour(*stored.resizing));
      plan_neighbours(*plan, sibling, {}, {as_neighbour(pool)});
      rehearsed_.insert(plan->steps.back().what);
    }
    plan->steps.push_back({.name = "record.resize.remove",
                           .stage = Stage::record,
                           .what = "remove the note of the resize",
                           .action = RemoveFile{state_.layout.pool_resize(pool.name)},
                           .undo = {}});
  }
  if (plan->empty()) return;
  settle(GcAction::repaired, object, reason, [&] { return execute(*plan, pool.tenant); });
}

/// Veths on the bridge that no pool of the tenant answers for: their pool was removed by force, or
/// made anew, while a process kept the old namespace alive.
Result<std::vector<std::string>> Collector::orphaned_ports(const std::string& tenant,
                                                           const StoredTenant& stored) const {
  auto vtep = state_.observe_pin(state_.layout.vtep_pin(tenant));
  if (!vtep) return fail(std::move(vtep.error()));
  std::vector<std::string> orphans;
  for (const auto& link : vtep->links) {
    if (link.kind != "veth" || !link.alias.starts_with("particle pool=")) continue;
    const bool known =
        leaving_.contains(link.alias) ||
        std::any_of(stored.pools.begin(), stored.pools.end(), [&](const PoolRecord& pool) {
          return pool.port == link.name ||
                 (pool.isolation == Isolation::container && link_alias(pool) == link.alias);
        });
    if (!known) orphans.push_back(link.name);
  }
  return orphans;
}

void Collector::collect_ports(const std::string& tenant, const StoredTenant& stored) {
  // The kernel takes a deleted pool's veth down in the background, within 100 ms or so.
  static constexpr auto kPause = std::chrono::milliseconds(10);
  static constexpr int kLooks = 20;
  auto orphans = orphaned_ports(tenant, stored);
  for (int look = 1; look < kLooks && orphans && !orphans->empty(); ++look) {
    std::this_thread::sleep_for(kPause);
    orphans = orphaned_ports(tenant, stored);
  }
  if (!orphans) {
    note(GcAction::kept, "tenant " + tenant, orphans.error().message());
    return;
  }
  for (const auto& port : *orphans) {
    const std::string reason = "no pool of tenant " + tenant + " answers for it";
    settle(GcAction::removed, "veth " + port, reason, [&] {
      Plan plan;
      plan.steps.push_back(
          {.name = "pool.orphan",
           .stage = Stage::teardown,
           .what = "remove " + port,
           .action = Configure{Place::vtep(), {{LinkRemoval{port}, Verb::remove, {}}}, true},
           .undo = {}});
      return execute(plan, tenant);
    });
  }
}

void Collector::collect_tenant(const std::string& tenant) {
  auto locks = state_.lock(tenant, false);
  if (!locks) return;
  for (const auto& entry : names(state_.layout.tenant_pools(tenant))) {
    if (file_exists(state_.layout.pool(entry))) continue;
    settle(GcAction::removed, "name " + entry + " of tenant " + tenant, "its pool is gone",
           [&] { return remove_file(state_.layout.tenant_pool(tenant, entry)); });
  }
  auto stored = state_.load_tenant_leniently(tenant);
  if (!stored) {
    note(GcAction::kept, "tenant " + tenant, stored.error().message());
    return;
  }
  if (!stored->entries.empty()) {
    collect_ports(tenant, *stored);
    return;
  }
  const bool empty = names(state_.layout.tenant(tenant)).empty() ||
                     names(state_.layout.tenant(tenant)) == std::vector<std::string>{"pools"};
  if (!empty) {
    settle(GcAction::removed, "tenant " + tenant, "it has no pool", [&]() -> Result<void> {
      if (auto done = unpin_netns(state_.layout.vtep_pin(tenant)); !done) return done;
      for (const auto& vni : names(state_.layout.vnis())) {
        const std::string link = state_.layout.vnis() + "/" + vni;
        if (read_symlink(link) != "../tenants/" + tenant) continue;
        if (const auto number = Vni::parse(vni)) state_.forget_gateway(*number);
        (void)remove_file(link);
      }
      return remove_flat_directory(state_.layout.tenant(tenant));
    });
  }
  if (!options_.dry_run) state_.tidy(tenant, *std::move(locks));
}

void Collector::collect_vnis() {
  for (const auto& vni : names(state_.layout.vnis())) {
    const auto target = read_symlink(state_.layout.vnis() + "/" + vni);
    if (!target || file_exists(state_.layout.vnis() + "/" + *target)) continue;
    settle(GcAction::removed, "VNI " + vni, "its tenant is gone",
           [&] { return remove_file(state_.layout.vnis() + "/" + vni); });
  }
}

void Collector::collect_published() {
  for (const auto& port : names(state_.layout.ports())) {
    const auto target = read_symlink(state_.layout.port(port));
    if (!target || file_exists(state_.layout.ports() + "/" + *target)) continue;
    settle(GcAction::removed, "published port " + port, "its pool is gone",
           [&] { return remove_file(state_.layout.port(port)); });
  }
}

/// Pools cannot be deleted before it can be read, or is gone.
void Collector::collect_store() {
  const std::string path = state_.layout.leases();
  auto store = LeaseStore::open_existing(path);
  if (store || store.error().kind() != Errc::corrupt_state) return;
  settle(GcAction::removed, path, store.error().message() + "; every lease in it is lost",
         [&]() -> Result<void> {
           for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
             if (auto done = remove_file(path + suffix); !done) return done;
           }
           return {};
         });
}

void Collector::collect_leases() {
  auto store = LeaseStore::open_existing(state_.layout.leases());
  if (!store) {
    if (store.error().kind() != Errc::corrupt_state)  // else collect_store has spoken
      note(GcAction::kept, state_.layout.leases(), store.error().message());
    return;
  }
  if (!*store) return;
  auto rows = (*store)->list({}, {});
  if (!rows) {
    note(GcAction::kept, "leases", rows.error().message());
    return;
  }
  std::set<std::string> orphaned;
  for (const auto& row : *rows) {
    if (!file_exists(state_.layout.pool(row.pool))) {
      orphaned.insert(row.pool);
      continue;
    }
    auto pool = state_.load_pool(row.pool);
    if (!pool || !pool->record || row.index >= pool->record->capacity) continue;
    Lease lease;
    lease.pool = row.pool;
    lease.holder = row.holder;
    lease.endpoint = pool->record->endpoint(row.index);
    lease.since = row.since;
    if (row.process) lease.process = row.process->pid;
    const bool dead = row.process && !alive(*row.process);
    if (!dead && (!options_.holder_alive || options_.holder_alive(lease))) continue;
    const IpAddress address = lease.endpoint.v4 ? *lease.endpoint.v4 : *lease.endpoint.v6;
    settle(GcAction::released,
           "lease " + lease.endpoint.to_string() + " of " + row.holder + " in pool " + row.pool,
           dead ? "process " + std::to_string(row.process->pid) + " is gone" : "its holder is gone",
           [&]() -> Result<void> {
             auto released = node_.release(row.pool, row.holder, address);
             if (!released) return fail(std::move(released.error()));
             return {};
           });
  }
  for (const auto& pool : orphaned) {
    settle(GcAction::released, "leases of pool " + pool, "the pool is gone", [&]() -> Result<void> {
      auto forgotten = (*store)->forget(pool, 0);
      if (!forgotten) return fail(std::move(forgotten.error()));
      return {};
    });
  }
}

/// Files that were being written when their writer was killed.
void Collector::collect_temporaries() {
  auto lock = DirLock::try_acquire(state_.layout.root(), DirLock::Mode::exclusive);
  if (!lock || !*lock) return;  // somebody may be writing right now
  std::vector<std::string> directories{state_.layout.root(), state_.layout.pools(),
                                       state_.layout.tenants()};
  for (const auto& pool : names(state_.layout.pools()))
    directories.push_back(state_.layout.pool(pool));
  for (const auto& tenant : names(state_.layout.tenants()))
    directories.push_back(state_.layout.tenant(tenant));
  for (const auto& directory : directories) {
    for (const auto& entry : names(directory)) {
      if (!entry.starts_with(kTemporaryPrefix)) continue;
      const std::string path = directory + "/" + entry;
      settle(GcAction::removed, path, "its writer was cut off", [&] { return remove_whole(path); });
    }
  }
}

}  // namespace

void collect_own_node(const NodeState& state, const Node& node, const GcOptions& options,
                      std::vector<GcFinding>& findings) {
  if (file_exists(state.layout.root())) Collector(state, node, options, findings).run();
}

}  // namespace particle
