// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <set>

#include "pool/gc.hpp"

namespace particle {
namespace {

class Collector {
 public:
  Collector(const NodeState& state, const Node& node, const GcOptions& options,
            std::vector<GcFinding>& findings)
      : state_(state), node_(node), options_(options), findings_(findings) {}

  void run() {
    for (const auto& name : names(state_.layout.pools())) {
      if (!name.starts_with(kTemporaryPrefix)) collect_pool(name);
    }
    for (const auto& tenant : names(state_.layout.tenants())) collect_tenant(tenant);
    collect_vnis();
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
  void remove_unreadable(const std::string& name, const std::string& reason);
  void collect_tenant(const std::string& tenant);
  void collect_ports(const std::string& tenant, const StoredTenant& stored);
  void collect_vnis();
  void collect_leases();
  void collect_temporaries();
  [[nodiscard]] std::string tenant_of(const std::string& pool) const;

  const NodeState& state_;
  const Node& node_;
  const GcOptions& options_;
  std::vector<GcFinding>& findings_;
  /// The veths of half-made pools, by alias: they go with their pool, in the kernel's own time.
  std::set<std::string> leaving_;
  /// What a rehearsal has reported: when it counts, the first repair spares the next pool the same.
  std::set<std::string> rehearsed_;
};

/// Found by the tenants' links when a pool's own record cannot be read.
std::string Collector::tenant_of(const std::string& pool) const {
  for (const auto& tenant : names(state_.layout.tenants())) {
    if (read_symlink(state_.layout.tenant_pool(tenant, pool))) return tenant;
  }
  return {};
}

void Collector::remove_unreadable(const std::string& name, const std::string& reason) {
  auto held = node_.leases({}, {});
  const bool leased = held && std::any_of(held->begin(), held->end(),
                                          [&](const Lease& l) { return l.pool == name; });
  if (leased) {
    note(GcAction::kept, "pool " + name,
         reason + ", but endpoints are leased; delete it with --force");
    return;
  }
  const std::string tenant = tenant_of(name);
  settle(GcAction::removed, "pool " + name, reason, [&]() -> Result<void> {
    for (const auto& entry : names(state_.layout.pool(name))) {
      if (entry != "netns" && !entry.starts_with("endpoint-")) continue;
      if (auto done = unpin_netns(state_.layout.pool(name) + "/" + entry); !done) return done;
    }
    if (!tenant.empty()) (void)remove_file(state_.layout.tenant_pool(tenant, name));
    return remove_flat_directory(state_.layout.pool(name));
  });
}

void Collector::collect_pool(const std::string& name) {
  auto before = state_.load_pool(name);
  if (!before) return remove_unreadable(name, before.error().message());
  if (!before->record) return remove_unreadable(name, "it has no record");
  auto locks = state_.lock(before->record->tenant, !options_.dry_run);
  if (!locks) return note(GcAction::kept, "pool " + name, locks.error().message());
  // Whoever was at work has ended: what is half-made now stays so.
  auto stored = state_.load_pool(name);
  auto tenant = state_.load_tenant(before->record->tenant);
  if (!stored || !stored->record) return;
  if (!tenant) return note(GcAction::kept, "pool " + name, tenant.error().message());
  if (stored->phase == PoolPhase::ready) return repair(*stored, *tenant);
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
    return note(
        GcAction::kept, object,
        "the record of tenant " + pool.tenant + "'s VTEP is gone; delete the pool with --force");
  }
  std::vector<PoolRecord> was;
  if (stored.resizing) was.push_back(*stored.resizing);
  auto plan = state_.repair_plan(pool, tenant, was);
  if (!plan) return note(GcAction::kept, object, plan.error().message());
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
void Collector::collect_ports(const std::string& tenant, const StoredTenant& stored) {
  auto vtep = state_.observe_pin(state_.layout.vtep_pin(tenant));
  if (!vtep) return note(GcAction::kept, "tenant " + tenant, vtep.error().message());
  for (const auto& link : vtep->links) {
    if (link.kind != "veth" || !link.alias.starts_with("particle pool=")) continue;
    if (leaving_.contains(link.alias)) continue;
    const bool known =
        std::any_of(stored.pools.begin(), stored.pools.end(), [&](const PoolRecord& pool) {
          return pool.port == link.name ||
                 (pool.isolation == Isolation::container && link_alias(pool) == link.alias);
        });
    if (known) continue;
    settle(GcAction::removed, "veth " + link.name,
           "no pool of tenant " + tenant + " answers for it", [&] {
             Plan plan;
             plan.steps.push_back(
                 {.name = "pool.orphan",
                  .stage = Stage::teardown,
                  .what = "remove " + link.name,
                  .action =
                      Configure{Place::vtep(), {{LinkRemoval{link.name}, Verb::remove, {}}}, true},
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
  auto stored = state_.load_tenant(tenant);
  if (!stored) return note(GcAction::kept, "tenant " + tenant, stored.error().message());
  if (!stored->entries.empty()) return collect_ports(tenant, *stored);
  const bool empty = names(state_.layout.tenant(tenant)).empty() ||
                     names(state_.layout.tenant(tenant)) == std::vector<std::string>{"pools"};
  if (!empty) {
    settle(GcAction::removed, "tenant " + tenant, "it has no pool", [&]() -> Result<void> {
      if (auto done = unpin_netns(state_.layout.vtep_pin(tenant)); !done) return done;
      if (stored->record) (void)remove_file(state_.layout.vni(stored->record->vni.value()));
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

void Collector::collect_leases() {
  auto store = LeaseStore::open_existing(state_.layout.leases());
  if (!store) {
    const std::string path = state_.layout.leases();
    if (store.error().kind() != Errc::corrupt_state)
      return note(GcAction::kept, path, store.error().message());
    settle(GcAction::removed, path, store.error().message() + "; every lease in it is lost",
           [&]() -> Result<void> {
             for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
               if (auto done = remove_file(path + suffix); !done) return done;
             }
             return {};
           });
    return;
  }
  if (!*store) return;
  auto rows = (*store)->list({}, {});
  if (!rows) return note(GcAction::kept, "leases", rows.error().message());
  std::set<std::string> orphaned;
  for (const auto& row : *rows) {
    if (!file_exists(state_.layout.pool(row.pool))) {
      orphaned.insert(row.pool);
      continue;
    }
    auto pool = state_.load_pool(row.pool);
    if (!pool || !pool->record || row.index >= pool->record->capacity) continue;
    Lease lease{row.pool, row.holder, pool->record->endpoint(row.index), row.since, {}, {}};
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
      settle(GcAction::removed, path, "its writer was cut off", [&]() -> Result<void> {
        if (::unlink(path.c_str()) == 0) return {};
        return remove_flat_directory(path);
      });
    }
  }
}

}  // namespace

void collect_own_node(const NodeState& state, const Node& node, const GcOptions& options,
                      std::vector<GcFinding>& findings) {
  if (file_exists(state.layout.root())) Collector(state, node, options, findings).run();
}

}  // namespace particle
