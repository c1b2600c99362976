// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "pool/node_state.hpp"
#include "pool/resolve.hpp"

namespace particle {
namespace {

Error invalid(std::string what, std::string hint = {}) {
  return Error::of(Errc::invalid_argument, std::move(what), std::move(hint));
}

/// The pool's spec with the wished changes, for the same checks as a create's.
Result<PoolSpec> changed_spec(const PoolRecord& have, const ResizeSpec& wish) {
  PoolSpec spec;
  spec.name = have.name;
  spec.tenant = have.tenant;
  spec.vni = have.vni;
  spec.mode = have.mode;
  spec.isolation = have.isolation;
  spec.attachment = have.attachment;
  spec.egress = have.egress;
  spec.published = have.published;
  spec.mtu = have.mtu;
  spec.cooldown = have.cooldown;
  if (have.count_given) spec.count = have.capacity;
  if (!wish.blocks.empty()) spec.count.reset();
  if (wish.count) spec.count = wish.count;
  for (const auto& block : have.blocks) spec.blocks.push_back(block.asked);
  for (const auto& block : wish.blocks) {
    const auto same = std::find_if(
        spec.blocks.begin(), spec.blocks.end(),
        [&](const AddressBlock& b) { return b.prefix.family() == block.prefix.family(); });
    if (same == spec.blocks.end()) {
      return fail(invalid(
          "pool " + have.name + " has no addresses of the family of " + block.prefix.to_string(),
          "a family cannot be added to a pool: delete it and create it with both prefixes"));
    }
    *same = block;
  }
  if (auto error = combine(check(spec), "pool " + have.name)) return fail(*std::move(error));
  return spec;
}

Result<void> check_same_start(const PoolRecord& have, const PoolRecord& want) {
  for (const auto& block : have.blocks) {
    const auto* now = want.block(block.primary().family());
    if (now->primary() == block.primary()) continue;
    return fail(invalid("the first address of pool " + have.name + " would change from " +
                            block.primary().to_string() + " to " + now->primary().to_string(),
                        "peers route through the first address: keep it, or make another pool"));
  }
  return {};
}

/// The rules and routes around it are made for its prefixes.
Result<void> check_gateway(const PoolRecord& have, const PoolRecord& want) {
  if (!have.has_gateway() || have.owned() == want.owned()) return {};
  return fail(invalid("pool " + have.name + " has egress or published ports: its addresses stay " +
                          IpPrefix(have.owned().front()).to_string(),
                      "its count can change within them; for others delete it and make it anew"));
}

Result<void> check_leases(const PoolRecord& want, const Layout& layout) {
  auto store = LeaseStore::open_existing(layout.leases());
  if (!store) return fail(std::move(store.error()));
  if (!*store) return {};
  auto highest = (*store)->highest(want.name);
  if (!highest) return fail(std::move(highest.error()));
  if (!*highest || **highest < want.capacity) return {};
  return fail(Error::of(Errc::busy,
                        "pool " + want.name + " cannot shrink to " + std::to_string(want.capacity) +
                            " endpoints: endpoint " + std::to_string(**highest) + " is leased",
                        "release the leases above the new size first"));
}

Result<PoolRecord> resolve_resize(const PoolRecord& have, const ResizeSpec& wish,
                                  const StoredTenant& tenant, const Layout& layout) {
  auto spec = changed_spec(have, wish);
  if (!spec) return fail(std::move(spec.error()));
  std::vector<PoolRecord> siblings = tenant.pools;
  std::erase_if(siblings, [&](const PoolRecord& pool) { return pool.name == have.name; });
  auto want = resolve(*spec, *tenant.record, siblings, 0);
  if (!want) return fail(std::move(want.error()));
  want->id = have.id;
  want->mac = have.mac;
  want->port = have.port;
  want->port_index = have.port_index;
  want->mode_reason = have.mode_reason;
  if (auto ok = check_same_start(have, *want); !ok) return fail(std::move(ok.error()));
  if (auto ok = check_gateway(have, *want); !ok) return fail(std::move(ok.error()));
  if (auto ok = check_overlap(*want, siblings, tenant.peers); !ok)
    return fail(std::move(ok.error()));
  if (auto ok = check_leases(*want, layout); !ok) return fail(std::move(ok.error()));
  return want;
}

bool same_size(const PoolRecord& a, const PoolRecord& b) {
  return a.blocks == b.blocks && a.capacity == b.capacity;
}

/// Siblings reach the pool by its prefixes: when these change, theirs do. A resize that was cut off
/// may have given them those of its own.
void plan_siblings(Plan& plan, const StoredPool& stored, const PoolRecord& want,
                   const StoredTenant& tenant) {
  const PoolRecord& have = *stored.record;
  const bool entered = stored.resizing && stored.resizing->owned() != want.owned();
  if (have.owned() == want.owned() && !entered) return;
  for (const auto& sibling : tenant.pools) {
    if (sibling.name == have.name || !are_connected(have, sibling)) continue;
    if (entered) {
      plan_forget_neighbour(plan, sibling, as_neighbour(*stored.resizing));
      plan.steps.back().undo.clear();
    }
    plan_forget_neighbour(plan, sibling, as_neighbour(have));
    plan_neighbours(plan, sibling, {}, {as_neighbour(want)});
  }
}

}  // namespace

Result<Plan> NodeState::resize_plan(const StoredPool& stored, const PoolRecord& want,
                                    const StoredTenant& tenant) const {
  const PoolRecord& have = *stored.record;
  std::vector<PoolRecord> was{have};
  if (stored.resizing) was.push_back(*stored.resizing);
  Plan plan;
  const std::string resize = layout.pool_resize(have.name);
  const std::string record = layout.pool_record(have.name);
  if (same_size(have, want) && !stored.resizing) return plan;
  plan.steps.push_back({.name = "record.resize",
                        .stage = Stage::record,
                        .what = "note that pool " + have.name + " is being resized to " +
                                std::to_string(want.capacity),
                        .action = WriteFile{resize, to_text(want)},
                        .undo = {RemoveFile{resize}}});
  auto repair = repair_plan(want, tenant, was);
  if (!repair) return fail(std::move(repair.error()));
  std::move(repair->steps.begin(), repair->steps.end(), std::back_inserter(plan.steps));
  if (want.capacity < have.capacity && file_exists(layout.leases())) {
    plan.steps.push_back(
        {.name = "leases.forget",
         .stage = Stage::record,
         .what = "forget what rests above endpoint " + std::to_string(want.capacity - 1),
         .action = ForgetLeases{have.name, want.capacity},
         .undo = {}});
  }
  plan_siblings(plan, stored, want, tenant);
  plan.steps.push_back({.name = "record.commit",
                        .stage = Stage::record,
                        .what = "record the new size",
                        .action = RenameFile{resize, record},
                        .undo = {}});
  return plan;
}

Result<Plan> Node::plan_resize(const std::string& name, const ResizeSpec& spec) const {
  auto have = state_->require_pool(name);
  if (!have) return fail(std::move(have.error()));
  auto tenant = state_->load_tenant(have->tenant);
  if (!tenant) return fail(std::move(tenant.error()));
  if (!tenant->record) {
    return fail(
        Error::of(Errc::corrupt_state,
                  "pool " + name + ": the record of tenant " + have->tenant + "'s VTEP is gone",
                  "the same create-pool again makes it anew"));
  }
  auto want = resolve_resize(*have, spec, *tenant, state_->layout);
  if (!want) return fail(std::move(want.error()));
  auto stored = state_->load_pool(name);
  if (!stored) return fail(std::move(stored.error()));
  return state_->resize_plan(*stored, *want, *tenant);
}

Result<Outcome> Node::resize_pool(const std::string& name, const ResizeSpec& spec,
                                  const ApplyOptions& options) const {
  auto have = state_->require_pool(name);
  if (!have) return fail(std::move(have.error()));
  auto locks = state_->lock_pool(name, have->tenant);
  if (!locks) return fail(std::move(locks.error()));
  auto plan = plan_resize(name, spec);
  if (!plan) return fail(std::move(plan.error()));
  Places places = state_->places(have->tenant);
  return apply(*plan, places, options);
}

}  // namespace particle
