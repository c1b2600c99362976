// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "pool/egress.hpp"
#include "pool/node_state.hpp"
#include "pool/resolve.hpp"
#include "pool/underlay.hpp"

namespace particle {
namespace {

Error prefixed(Error error, const std::string& name) {
  if (error.operation.find(name) == std::string::npos)
    error.operation = "pool " + name + ": " + error.operation;
  return error;
}

/// What a create works from once the tenant's lock is held.
struct Situation {
  StoredPool stored;
  StoredTenant tenant;
  TenantRecord tenant_record;
  PoolRecord want;
};

Result<TenantRecord> find_tenant_record(const PoolSpec& spec, const StoredTenant& tenant,
                                        const NetNs& node) {
  if (tenant.recorded) {
    if (auto ok = check_tenant(spec, *tenant.record); !ok) return fail(std::move(ok.error()));
    return *tenant.record;
  }
  auto underlay = find_underlay(spec.underlay, node);
  if (!underlay) return fail(std::move(underlay.error()));
  return make_tenant_record(spec, *underlay);
}

Result<void> check_vni(const PoolSpec& spec, const Layout& layout) {
  const auto owner = read_symlink(layout.vni(spec.vni.value()));
  if (!owner || *owner == "../tenants/" + spec.tenant) return {};
  return fail(Error::of(Errc::conflict,
                        "VNI " + std::to_string(spec.vni.value()) + " belongs to tenant " +
                            owner->substr(owner->find_last_of('/') + 1) + " on this node",
                        "a VNI is one tenant's network; choose another --vni"));
}

Error taken(const PoolSpec& spec, const PoolRecord& other) {
  return Error::of(Errc::already_exists,
                   "pool " + spec.name + " exists on this node, of tenant " + other.tenant,
                   "choose another name");
}

Result<void> check_against_existing(const PoolSpec& spec, const Situation& now,
                                    const NodeState& node) {
  const StoredPool& stored = now.stored;
  if (stored.record && stored.record->tenant != spec.tenant) {
    return fail(taken(spec, *stored.record));
  }
  if (stored.phase == PoolPhase::ready) {
    auto lines = differences(*stored.record, now.want, spec);
    if (lines.empty()) return {};
    Error error = Error::of(Errc::conflict, "pool " + spec.name + " exists with another spec",
                            "resize-pool changes the size; for the rest delete the pool first");
    error.details = std::move(lines);
    return fail(std::move(error));
  }
  if (auto ok = check_overlap(now.want, now.tenant.pools, now.tenant.peers); !ok) return ok;
  return node.check_gateway(now.want, now.tenant_record);
}

std::vector<PoolRecord> without(std::vector<PoolRecord> pools, const std::string& name) {
  std::erase_if(pools, [&](const PoolRecord& pool) { return pool.name == name; });
  return pools;
}

Result<Situation> look(const PoolSpec& spec, const NodeState& node) {
  Situation now;
  auto stored = node.load_pool(spec.name);
  if (!stored) return fail(std::move(stored.error()));
  now.stored = *std::move(stored);
  auto tenant = node.load_tenant(spec.tenant);
  if (!tenant) return fail(std::move(tenant.error()));
  now.tenant = *std::move(tenant);
  if (auto ok = check_vni(spec, node.layout); !ok) return fail(std::move(ok.error()));
  auto record = find_tenant_record(spec, now.tenant, node.netns);
  if (!record) return fail(std::move(record.error()));
  now.tenant_record = *std::move(record);
  auto want = resolve(spec, now.tenant_record, without(now.tenant.pools, spec.name), random_bits());
  if (!want) return fail(std::move(want.error()));
  now.want = *std::move(want);
  if (auto ok = check_against_existing(spec, now, node); !ok) return fail(std::move(ok.error()));
  return now;
}

void plan_records(Plan& plan, const Layout& layout, const PoolRecord& want) {
  const std::string directory = layout.pool(want.name);
  plan.steps.push_back(
      {.name = "record.intent",
       .stage = Stage::record,
       .what = "note in " + directory + " that pool " + want.name + " is being made",
       .action = MakeDirectory{directory, "intent.json", to_text(want)},
       .undo = {RemoveDirectory{directory}}});
  const std::string link = layout.tenant_pool(want.tenant, want.name);
  plan.steps.push_back({.name = "record.link",
                        .stage = Stage::record,
                        .what = "enter it among the pools of tenant " + want.tenant,
                        .action = MakeSymlink{"../../../pools/" + want.name, link},
                        .undo = {RemoveFile{link}}});
}

void plan_commit(Plan& plan, const Layout& layout, const PoolRecord& want) {
  plan.steps.push_back(
      {.name = "record.commit",
       .stage = Stage::record,
       .what = "record pool " + want.name + " as made",
       .action = RenameFile{layout.pool_intent(want.name), layout.pool_record(want.name)},
       .undo = {}});
}

/// The whole of a pool that is not there yet.
Result<Plan> plan_fresh(const Situation& now, const NodeState& node) {
  Plan plan;
  plan_records(plan, node.layout, now.want);
  plan_ports(plan, node.layout, now.want);
  // A cut-off delete, or somebody's umount, may have taken a recorded VTEP.
  const TenantRecord& tenant = now.tenant_record;
  const bool lost = now.tenant.recorded && !node.is_pinned(vxlan_pin(node.layout, tenant));
  const bool anew = lost || !now.tenant.recorded;
  if (anew) plan_vtep(plan, node.layout, tenant, {}, now.tenant.recorded);
  if (anew && !tenant.direct) plan_fdb(plan, tenant, now.tenant.peers, {});
  const bool raised = plan_devices(plan, node.layout, tenant, now.want, {}, {});
  if (anew && tenant.direct) plan_fdb(plan, tenant, now.tenant.peers, {});
  plan_addresses(plan, now.want, {});
  plan_neighbours(plan, now.want, {}, NodeState::neighbours_of(now.want, now.tenant));
  if (auto ok = node.append_gateway(plan, now.want, now.tenant, tenant, {}); !ok)
    return fail(std::move(ok.error()));
  if (raised) plan_ready(plan, now.want);
  for (const auto& sibling : now.tenant.pools) {
    if (are_connected(now.want, sibling))
      plan_neighbours(plan, sibling, {}, {as_neighbour(now.want)});
  }
  plan_commit(plan, node.layout, now.want);
  return plan;
}

/// Of a pool that is there with the spec that is asked for. A resize that was cut off is taken back.
Result<Plan> plan_existing(const Situation& now, const NodeState& node) {
  const PoolRecord& record = *now.stored.record;
  if (now.stored.resizing) return node.resize_plan(now.stored, record, now.tenant);
  return node.repair_plan(record, now.tenant);
}

/// Takes away what a cut-off create or delete left: of this name, and the beginnings of a VTEP, which
/// may be for another underlay or VNI than are asked for now. Whether there was anything.
Result<bool> clear(const Situation& now, const NodeState& node) {
  Plan plan;
  const std::string& tenant = now.want.tenant;
  if (now.stored.phase == PoolPhase::making || now.stored.phase == PoolPhase::removing) {
    auto removal = node.removal_plan(now.stored, now.tenant);
    if (!removal) return fail(std::move(removal.error()));
    plan = *std::move(removal);
  } else if (now.tenant.record && !now.tenant.recorded) {
    const auto remove = [&](std::string what, Action action) {
      plan.steps.push_back({"vtep.clear", Stage::teardown, std::move(what), std::move(action), {}});
    };
    const std::string pin = node.layout.vtep_pin(tenant);
    remove("a half-made VTEP", RemoveNamespace{Place::vtep(), pin});
    if (node.owns_vni(tenant, now.tenant.record->vni)) {
      remove("its VNI", RemoveFile{node.layout.vni(now.tenant.record->vni.value())});
    }
    remove("its record", RemoveFile{node.layout.tenant_intent(tenant)});
  }
  if (plan.empty()) return false;
  Places places = node.places(tenant);
  if (auto done = apply(plan, places, {}); !done) return fail(std::move(done.error()));
  return true;
}

/// Where two tenants raced for a VNI or a name, the winner is known by now.
Error explain(Error error, const PoolSpec& spec, const NodeState& node) {
  if (error.kind() != Errc::already_exists) return error;
  if (auto ok = check_vni(spec, node.layout); !ok) return std::move(ok.error());
  auto stored = node.load_pool(spec.name);
  if (stored && stored->record && stored->record->tenant != spec.tenant)
    return taken(spec, *stored->record);
  return error;
}

void forget_device(ObservedNamespace& have, IfIndex device) {
  const auto is_on = [device](const auto& entry) { return entry.device == device; };
  std::erase_if(have.addresses, is_on);
  std::erase_if(have.routes, is_on);
  std::erase_if(have.neighbours, is_on);
}

}  // namespace

Result<Plan> NodeState::repair_plan(const PoolRecord& pool, const StoredTenant& tenant,
                                    const std::vector<PoolRecord>& was) const {
  Plan plan;
  auto vtep = observe_pin(vxlan_pin(layout, *tenant.record));
  if (!vtep) return fail(std::move(vtep.error()));
  auto have = observe_pin(layout.pool_pin(pool.name));
  if (!have) return fail(std::move(have.error()));
  plan_vtep(plan, layout, *tenant.record, *vtep, tenant.recorded);
  const bool raised = plan_devices(plan, layout, *tenant.record, pool, *have, *vtep);
  // A veth born anew has none of the old one's addresses and routes; those on lo are still there.
  if (!has_whole_device(pool, *have, *vtep)) forget_device(*have, kGuestIndex);
  // The kernel drops even permanent neighbours when a device's MAC changes, as mending it does.
  const ObservedLink* guest = have->link(kGuestIndex);
  if (guest != nullptr && guest->mac != pool.mac) have->neighbours.clear();
  plan_addresses(plan, pool, *have, was);
  plan_neighbours(plan, pool, *have, neighbours_of(pool, tenant));
  if (auto ok = append_gateway(plan, pool, tenant, *tenant.record, *have); !ok)
    return fail(std::move(ok.error()));
  if (raised) plan_ready(plan, pool);
  plan_fdb(plan, *tenant.record, tenant.peers, *vtep);
  return plan;
}

Result<Plan> Node::plan_create(const PoolSpec& spec) const {
  if (auto error = combine(check(spec), "pool " + spec.name)) return fail(*std::move(error));
  auto now = look(spec, *state_);
  if (!now) return fail(prefixed(std::move(now.error()), spec.name));
  if (now->stored.phase == PoolPhase::ready) return plan_existing(*now, *state_);
  return plan_fresh(*now, *state_);
}

Result<CreateResult> Node::create_pool(const PoolSpec& spec, const ApplyOptions& options) const {
  std::unique_ptr<HeadStart> head_start;
  // A pool that exists, or half does, needs something else: the records will tell.
  if (!file_exists(state_->layout.pool(spec.name))) head_start = std::make_unique<HeadStart>();
  if (auto error = combine(check(spec), "pool " + spec.name)) return fail(*std::move(error));
  const bool had_run_dir = file_exists(state_->run_dir);
  const auto refuse = [&](Error error) {
    if (!had_run_dir) ::rmdir(state_->run_dir.c_str());
    return fail(prefixed(std::move(error), spec.name));
  };
  auto locks = state_->lock(spec.tenant, true);
  if (!locks) {
    head_start.reset();  // nothing may be left of it when the caller reads the error
    return refuse(std::move(locks.error()));
  }
  if (head_start) {
    head_start->furnish(pool_sysctls(resolve_addressing(spec)),
                        state_->layout.vtep_pin(spec.tenant));
  }
  const auto create = [&]() -> Result<CreateResult> {
    auto now = look(spec, *state_);
    if (!now) return fail(std::move(now.error()));
    // Twice at most: of the name, then of the VTEP. What was resolved before may not hold now.
    for (;;) {
      auto cleared = clear(*now, *state_);
      if (!cleared) return fail(std::move(cleared.error()));
      if (!*cleared) break;
      now = look(spec, *state_);
      if (!now) return fail(std::move(now.error()));
    }
    // The VTEP's record may have been lost; it is made anew.
    if (!now->tenant.record) now->tenant.record = now->tenant_record;
    const bool exists = now->stored.phase == PoolPhase::ready;
    auto plan = exists ? plan_existing(*now, *state_) : plan_fresh(*now, *state_);
    if (!plan) return fail(std::move(plan.error()));
    const PoolRecord& record = exists ? *now->stored.record : now->want;
    // Here, not at the end: the head start is still at work.
    CreateResult made{state_->describe(record, now->tenant_record), {}};
    Places places = state_->places(spec.tenant);
    places.expect(std::move(head_start));
    auto outcome = apply(*plan, places, options);
    if (!outcome) return fail(explain(std::move(outcome.error()), spec, *state_));
    made.outcome = *std::move(outcome);
    return made;
  };
  auto result = create();
  if (result) return result;
  head_start.reset();  // its descriptors may be those that tidying lacks
  state_->tidy(spec.tenant, *std::move(locks));
  return refuse(std::move(result.error()));
}

}  // namespace particle
