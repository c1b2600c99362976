// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "pool/node_state.hpp"

namespace particle {
namespace {

/// The endpoints whose namespaces are pinned in the pool's directory.
Result<std::vector<std::uint64_t>> pinned_endpoints(const Layout& layout, const std::string& pool) {
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

}  // namespace

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
  auto endpoints = pinned_endpoints(layout, removal.pool.name);
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
  auto tenant = state_->load_tenant(stored->record->tenant);
  if (!tenant) return fail(std::move(tenant.error()));
  return state_->removal_plan(*stored, *tenant);
}

Result<Outcome> Node::delete_pool(const std::string& name, bool force,
                                  const ApplyOptions& options) const {
  if (auto ok = check_name("pool name", name); !ok) return fail(std::move(ok.error()));
  auto before = state_->load_pool(name);
  if (!before) return fail(std::move(before.error()));
  if (before->phase == PoolPhase::absent) {
    state_->tidy_node();  // what a delete left that was cut off at its very end
    return fail(state_->no_such_pool(name));
  }
  const std::string tenant = before->record->tenant;
  auto locks = state_->lock(tenant, false);
  if (!locks)
    return fail(locks.error().kind() == Errc::not_found ? state_->no_such_pool(name)
                                                        : std::move(locks.error()));
  // No lease may be taken between the check and the end.
  auto own = DirLock::acquire(state_->layout.pool(name), DirLock::Mode::exclusive, false);
  if (!own)
    return fail(own.error().kind() == Errc::not_found ? state_->no_such_pool(name)
                                                      : std::move(own.error()));
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
  state_->tidy(tenant, *std::move(locks));
  return outcome;
}

}  // namespace particle
