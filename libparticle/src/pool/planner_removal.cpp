// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>

#include "pool/egress.hpp"
#include "pool/planner.hpp"

namespace particle {
namespace {

Step step(std::string name, Stage stage, std::string what, Action action) {
  return {.name = std::move(name),
          .stage = stage,
          .what = std::move(what),
          .action = std::move(action),
          .undo = {}};
}

/// Whatever still runs in the namespace loses the network now, not when it ends. Taking the link
/// down is cheap; removing it would wait for RCU grace periods (35 ms), which the kernel does in
/// the background when the namespace goes.
Step detach_step(const PoolRecord& pool) {
  LinkChange down;
  down.name = pool.port;
  down.up = false;
  return step("pool.detach", Stage::teardown, "take " + pool.port + " down",
              Configure{Place::vtep(), {{down, Verb::replace, {}}}, true});
}

/// A vxlan device does not go with its pool as long as anything still runs in there, and until it goes
/// its VNI is taken.
Step unplug_step(const PoolRecord& pool) {
  return step(
      "pool.unplug", Stage::teardown, "remove the tenant's vxlan device",
      Configure{Place::of_pool(pool.name), {{LinkRemoval{kGuestDevice}, Verb::remove, {}}}, true});
}

void remove_records(Plan& plan, const Layout& layout, const Removal& removal) {
  const PoolRecord& pool = removal.pool;
  if (removal.last_of_tenant) {
    if (pool.attachment == Attachment::veth) {
      const std::string pin = layout.vtep_pin(pool.tenant);
      plan.steps.push_back(step("vtep.namespace.remove", Stage::teardown,
                                "VTEP of tenant " + pool.tenant + ": its last pool is gone",
                                RemoveNamespace{Place::vtep(), pin}));
    }
    std::vector<std::string> records{layout.tenant_peers(pool.tenant),
                                     layout.tenant_intent(pool.tenant)};
    if (removal.owns_vni) records.push_back(layout.vni(pool.vni.value()));
    records.push_back(layout.tenant_record(pool.tenant));
    for (const auto& path : records) {
      plan.steps.push_back(
          step("vtep.record.remove", Stage::record, "remove " + path, RemoveFile{path}));
    }
  }
  const std::string link = layout.tenant_pool(pool.tenant, pool.name);
  plan.steps.push_back(step("record.unlink", Stage::record, "remove " + link, RemoveFile{link}));
  plan.steps.push_back(step("record.remove", Stage::record, "remove " + layout.pool(pool.name),
                            RemoveDirectory{layout.pool(pool.name)}));
}

}  // namespace

namespace {

void plan_way_out_removal(Plan& plan, const Layout& layout, const Removal& removal) {
  if (!removal.pool.has_gateway()) return;
  std::vector<PoolRecord> rest;
  std::copy_if(removal.siblings.begin(), removal.siblings.end(), std::back_inserter(rest),
               [](const PoolRecord& sibling) { return sibling.has_gateway(); });
  plan_gateway_removal(plan, removal.tenant, removal.pool, rest, removal.last_of_tenant);
  plan_ports_removal(plan, layout, removal.pool);
}

}  // namespace

void plan_removal(Plan& plan, const Layout& layout, const Removal& removal) {
  const PoolRecord& pool = removal.pool;
  if (removal.record_is_ready) {
    plan.steps.push_back(
        step("record.removing", Stage::record, "note that pool " + pool.name + " is being removed",
             RenameFile{layout.pool_record(pool.name), layout.pool_removing(pool.name)}));
  }
  if (removal.leases_exist) {
    plan.steps.push_back(
        step("leases.forget", Stage::record, "forget its leases", ForgetLeases{pool.name, 0}));
  }
  plan_way_out_removal(plan, layout, removal);
  for (const auto& sibling : removal.siblings) {
    if (are_connected(pool, sibling)) plan_forget_neighbour(plan, sibling, as_neighbour(pool));
  }
  for (const auto index : removal.endpoints) {
    const std::string pin = layout.endpoint_pin(pool.name, index);
    plan.steps.push_back(step("endpoint.namespace.remove", Stage::teardown,
                              "namespace pinned at " + pin,
                              RemoveNamespace{Place::of_endpoint(pool.name, index), pin}));
  }
  if (pool.attachment == Attachment::direct) {
    plan.steps.push_back(unplug_step(pool));
  } else if (!removal.last_of_tenant)
    plan.steps.push_back(detach_step(pool));
  const std::string pin = layout.pool_pin(pool.name);
  plan.steps.push_back(
      step("pool.namespace.remove", Stage::teardown,
           "namespace pinned at " + pin + "; the kernel removes its devices in the background",
           RemoveNamespace{Place::of_pool(pool.name), pin}));
  remove_records(plan, layout, removal);
}

}  // namespace particle
