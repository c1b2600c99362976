// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "pool/egress.hpp"
#include "pool/node_state.hpp"

namespace particle {
namespace {

Result<void> refuse_held(const PoolRecord& pool, const Layout& layout) {
  const std::string& name = pool.name;
  auto store = LeaseStore::open_existing(layout.leases());
  if (!store) return fail(std::move(store.error()));
  if (!*store) return {};
  auto rows = (*store)->list(name, std::nullopt);
  if (!rows) return fail(std::move(rows.error()));
  if (rows->empty()) return {};
  Error error = Error::of(Errc::busy,
                          "pool " + name + " has " + std::to_string(rows->size()) + " endpoint" +
                              (rows->size() == 1 ? "" : "s") + " leased",
                          "release them first, or use --force: their containers lose the network");
  static constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(kShown, rows->size()); ++i) {
    const LeaseRow& row = (*rows)[i];
    error.details.push_back(pool.endpoint(std::min(row.index, pool.capacity - 1)).to_string() +
                            " is held by " + row.holder);
  }
  if (rows->size() > kShown)
    error.details.push_back("and " + std::to_string(rows->size() - kShown) + " more");
  return fail(std::move(error));
}

/// Removes a pool by its name alone; its tenant's VTEP, when it was the last, is left to gc.
Result<Outcome> discard(const std::string& name, const NodeState& node,
                        const ApplyOptions& options) {
  auto lock = DirLock::acquire(node.layout.root(), DirLock::Mode::exclusive, false);
  if (!lock) return fail(std::move(lock.error()));
  auto plan = node.discard_plan(name);
  if (!plan) return fail(std::move(plan.error()));
  Places places = node.places({});
  ApplyOptions uncancelled = options;
  uncancelled.stop = {};
  return apply(*plan, places, uncancelled);
}

}  // namespace

Result<std::vector<std::uint64_t>> NodeState::pinned_endpoints(const std::string& pool) const {
  static constexpr std::string_view kPrefix = "endpoint-";
  auto entries = list_directory(layout.pool(pool));
  if (!entries) return fail(std::move(entries.error()));
  std::vector<std::uint64_t> indices;
  for (const auto& entry : *entries) {
    if (!entry.starts_with(kPrefix)) continue;
    std::uint64_t index = 0;
    std::from_chars(entry.data() + kPrefix.size(), entry.data() + entry.size(), index);
    indices.push_back(index);
  }
  return indices;
}

bool NodeState::owns_vni(const std::string& tenant, Vni vni) const {
  return read_symlink(layout.vni(vni.value())) == "../tenants/" + tenant;
}

Result<Plan> NodeState::discard_plan(const std::string& name) const {
  const auto step = [](std::string title, Stage stage, std::string what, Action action) {
    return Step{std::move(title), stage, std::move(what), std::move(action), {}};
  };
  Plan plan;
  if (file_exists(layout.leases())) {
    plan.steps.push_back(
        step("leases.forget", Stage::record, "forget its leases", ForgetLeases{name, 0}));
  }
  auto endpoints = pinned_endpoints(name);
  if (!endpoints) return fail(std::move(endpoints.error()));
  for (const auto index : *endpoints) {
    const std::string pin = layout.endpoint_pin(name, index);
    plan.steps.push_back(step("endpoint.namespace.remove", Stage::teardown,
                              "namespace pinned at " + pin,
                              RemoveNamespace{Place::of_endpoint(name, index), pin}));
  }
  const std::string pin = layout.pool_pin(name);
  plan.steps.push_back(step("pool.namespace.remove", Stage::teardown, "namespace pinned at " + pin,
                            RemoveNamespace{Place::of_pool(name), pin}));
  auto tenants = list_directory(layout.tenants());
  if (!tenants) return fail(std::move(tenants.error()));
  for (const auto& tenant : *tenants) {
    const std::string link = layout.tenant_pool(tenant, name);
    if (!read_symlink(link)) continue;
    plan.steps.push_back(step("record.unlink", Stage::record, "remove " + link, RemoveFile{link}));
  }
  plan.steps.push_back(step("record.remove", Stage::record, "remove " + layout.pool(name),
                            RemoveDirectory{layout.pool(name)}));
  return plan;
}

Result<Plan> NodeState::removal_plan(const StoredPool& stored, const StoredTenant& tenant) const {
  Removal removal;
  removal.pool = *stored.record;
  removal.record_is_ready = stored.phase == PoolPhase::ready;
  removal.leases_exist = file_exists(layout.leases());
  removal.last_of_tenant =
      std::none_of(tenant.entries.begin(), tenant.entries.end(),
                   [&](const std::string& entry) { return entry != removal.pool.name; });
  for (const auto& sibling : tenant.pools) {
    if (sibling.name != removal.pool.name) removal.siblings.push_back(sibling);
  }
  removal.tenant = tenant.record_or_bare(removal.pool.tenant);
  removal.tenant.vni = removal.pool.vni;
  // A cut-off create may not have come to reserve a port that another pool has.
  std::erase_if(removal.pool.published, [&](const PublishedPort& port) {
    const auto holder = read_symlink(layout.port(port_name(port)));
    return holder && *holder != "../pools/" + removal.pool.name;
  });
  removal.owns_vni = owns_vni(removal.pool.tenant, removal.pool.vni);
  auto endpoints = pinned_endpoints(removal.pool.name);
  if (!endpoints) return fail(std::move(endpoints.error()));
  removal.endpoints = *std::move(endpoints);
  Plan plan;
  plan_removal(plan, layout, removal);
  return plan;
}

Result<Plan> Node::plan_delete(const std::string& name, bool force) const {
  if (auto ok = check_name("pool name", name); !ok) return fail(std::move(ok.error()));
  auto stored = state_->load_pool(name);
  if (!stored) return fail(std::move(stored.error()));
  if (stored->phase == PoolPhase::absent) return fail(state_->no_such_pool(name));
  if (!force) {
    if (auto ok = refuse_held(*stored->record, state_->layout); !ok)
      return fail(std::move(ok.error()));
  }
  auto tenant = state_->load_tenant_leniently(stored->record->tenant);
  if (!tenant) return fail(std::move(tenant.error()));
  return state_->removal_plan(*stored, *tenant);
}

Result<Outcome> Node::delete_pool(const std::string& name, bool force,
                                  const ApplyOptions& options) const {
  if (auto ok = check_name("pool name", name); !ok) return fail(std::move(ok.error()));
  auto before = state_->load_pool(name);
  if (!before) {
    if (!force || before.error().kind() != Errc::corrupt_state)
      return fail(std::move(before.error()));
    return discard(name, *state_, options);
  }
  if (before->phase == PoolPhase::absent) {
    state_->tidy_node();  // what a delete left that was cut off at its very end
    return fail(state_->no_such_pool(name));
  }
  const std::string tenant = before->record->tenant;
  auto locks = state_->lock_pool(name, tenant);
  if (!locks) return fail(std::move(locks.error()));
  auto plan = plan_delete(name, force);
  if (!plan) return fail(std::move(plan.error()));
  Places places = state_->places(tenant);
  ApplyOptions uncancelled = options;  // half a delete helps nobody; it takes milliseconds
  uncancelled.stop = {};
  auto outcome = apply(*plan, places, uncancelled);
  if (!outcome) {
    outcome.error().hint += (outcome.error().hint.empty() ? "" : "; ");
    outcome.error().hint +=
        "the pool is half removed: the same command again, or `particle gc`, ends it";
    return outcome;
  }
  state_->tidy(tenant, std::move(locks->tenant));
  return outcome;
}

}  // namespace particle
