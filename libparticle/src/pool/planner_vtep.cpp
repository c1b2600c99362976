// SPDX-License-Identifier: Apache-2.0
#include "pool/planner.hpp"

namespace particle {
namespace {

Step bridge_step(const TenantRecord& tenant) {
  BridgeSpec bridge{
      .name = tenant.bridge(), .index = kBridgeIndex, .mtu = tenant.mtu, .mac = std::nullopt};
  return {.name = "vtep.bridge",
          .stage = Stage::vtep,
          .what = "bridge " + bridge.name,
          .action = Configure{Place::vtep(), {{bridge, Verb::create, {}}}, false},
          .undo = {}};
}

Step vxlan_step(const TenantRecord& tenant, IfIndex bridge) {
  VxlanSpec vxlan;
  vxlan.name = tenant.vxlan();
  vxlan.index = kVxlanIndex;
  vxlan.vni = tenant.vni;
  vxlan.local = tenant.vtep;
  vxlan.underlay = tenant.bound_device;
  vxlan.mtu = tenant.mtu;
  vxlan.master = bridge;
  return {.name = "vtep.vxlan",
          .stage = Stage::vtep,
          .what = "vxlan " + vxlan.name + " (VNI " + std::to_string(tenant.vni.value()) +
                  ", local " + tenant.vtep.to_string() +
                  "), born in the VTEP namespace, its socket in the node's",
          .action = Configure{Place::node(), {{vxlan, Verb::create, Place::vtep()}}, false},
          .undo = {}};
}

/// Broadcast and multicast never leave through the vxlan port: peers are entered one by one, so
/// there is nobody to ask. The bridge learns nothing from it either.
Step up_step(const TenantRecord& tenant, IfIndex bridge, IfIndex vxlan) {
  BridgePortSpec port;
  port.learning = false;
  port.multicast_flood = false;
  port.broadcast_flood = false;
  LinkChange vxlan_up;
  vxlan_up.index = vxlan;
  vxlan_up.up = true;
  vxlan_up.port = port;
  LinkChange bridge_up;
  bridge_up.index = bridge;
  bridge_up.up = true;
  bridge_up.alias =
      "particle tenant=" + tenant.tenant + " vni=" + std::to_string(tenant.vni.value());
  return {
      .name = "vtep.up",
      .stage = Stage::vtep,
      .what = "raise " + tenant.vxlan() + " and " + tenant.bridge() + "; no flooding, no learning",
      .action = Configure{Place::vtep(),
                          {{vxlan_up, Verb::replace, {}}, {bridge_up, Verb::replace, {}}},
                          false},
      .undo = {}};
}

}  // namespace

std::vector<Sysctl> vtep_sysctls() {
  // No link-local address, no router solicitation and no DAD on devices that only switch frames.
  return {{"net/ipv6/conf/default/disable_ipv6", "1", true}};
}

namespace {

/// Namespace, bridge and vxlan, as far as they are not there.
void plan_vtep_devices(Plan& plan, const Layout& layout, const TenantRecord& tenant,
                       const ObservedNamespace& have);

}  // namespace

void plan_vtep(Plan& plan, const Layout& layout, const TenantRecord& tenant,
               const ObservedNamespace& have, bool recorded) {
  const std::string intent = layout.tenant_intent(tenant.tenant);
  const std::string record = layout.tenant_record(tenant.tenant);
  if (!recorded) {
    plan.steps.push_back(
        {.name = "vtep.intent",
         .stage = Stage::record,
         .what = "note that the VTEP of tenant " + tenant.tenant + " is being made",
         .action = WriteFile{intent, to_text(tenant)},
         .undo = {RemoveFile{intent}}});
    const std::string vni = layout.vni(tenant.vni.value());
    plan.steps.push_back({.name = "vtep.vni",
                          .stage = Stage::record,
                          .what = "reserve VNI " + std::to_string(tenant.vni.value()) +
                                  " for tenant " + tenant.tenant,
                          .action = MakeSymlink{"../tenants/" + tenant.tenant, vni},
                          .undo = {RemoveFile{vni}}});
  }
  // With attachment direct the pool itself is the VTEP.
  if (!tenant.direct) plan_vtep_devices(plan, layout, tenant, have);
  if (!recorded) {
    plan.steps.push_back({.name = "vtep.commit",
                          .stage = Stage::record,
                          .what = "record the VTEP",
                          .action = RenameFile{intent, record},
                          .undo = {RemoveFile{record}}});
  }
}

namespace {

void plan_vtep_devices(Plan& plan, const Layout& layout, const TenantRecord& tenant,
                       const ObservedNamespace& have) {
  if (!have.exists) {
    const std::string pin = layout.vtep_pin(tenant.tenant);
    plan.steps.push_back(
        {.name = "vtep.namespace",
         .stage = Stage::vtep,
         .what = "namespace of tenant " + tenant.tenant + "'s VTEP, pinned at " + pin,
         .action = MakeNamespace{Place::vtep(), pin, vtep_sysctls(), kNodeNetNsId},
         .undo = {RemoveNamespace{Place::vtep(), pin}}});
  }
  const ObservedLink* bridge = have.link(tenant.bridge());
  const ObservedLink* vxlan = have.link(tenant.vxlan());
  const IfIndex bridge_index = bridge != nullptr ? bridge->index : kBridgeIndex;
  const bool attached = vxlan != nullptr && bridge != nullptr && vxlan->master == bridge->index;
  if (bridge == nullptr) plan.steps.push_back(bridge_step(tenant));
  if (vxlan == nullptr) plan.steps.push_back(vxlan_step(tenant, bridge_index));
  if (!attached || !vxlan->up || !bridge->up) {
    Step up = up_step(tenant, bridge_index, vxlan != nullptr ? vxlan->index : kVxlanIndex);
    // The kernel takes port settings only from what is a port already: enslave first.
    if (vxlan != nullptr && !attached) {
      LinkChange enslave;
      enslave.index = vxlan->index;
      enslave.master = bridge_index;
      auto& changes = std::get<Configure>(up.action).changes;
      changes.insert(changes.begin(), {enslave, Verb::replace, {}});
    }
    plan.steps.push_back(std::move(up));
  }
}

}  // namespace

}  // namespace particle
