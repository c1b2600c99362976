// SPDX-License-Identifier: Apache-2.0
// The steps that give a pool its gateway, and take it away.
#include <algorithm>

#include "pool/egress.hpp"

namespace particle {
namespace {

/// What the pools know their gateway by. Permanent neighbours lead to it, so that its addresses need not
/// be unique: every tenant's is the same.
IpAddress gateway_address(Family family) {
  return *IpAddress::parse(family == Family::v4 ? "169.254.1.1" : "fe80::1");
}
/// The same for the VTEP: the node's end of the uplink.
IpAddress node_gateway(Family family) {
  return *IpAddress::parse(family == Family::v4 ? "169.254.1.2" : "fe80::2");
}

Mac derived_mac(const TenantRecord& tenant, const char* what) {
  return Mac::derive(std::string("particle/") + what + "/" + tenant.tenant + "/" +
                     tenant.vtep.to_string());
}
Mac bridge_mac(const TenantRecord& tenant) {
  return derived_mac(tenant, "gateway");
}
Mac uplink_mac(const TenantRecord& tenant) {
  return derived_mac(tenant, "uplink");
}
Mac node_mac(const TenantRecord& tenant) {
  return derived_mac(tenant, "uplink-of-node");
}

/// The kernel numbers devices upwards from the lowest, and never gets here.
IfIndex node_index(const TenantRecord& tenant) {
  return IfIndex{0x20000000U + tenant.vni.value()};
}

IpPrefix everything(Family family) {
  const IpAddress zero = family == Family::v4 ? IpAddress{} : *IpAddress::parse("::");
  return IpPrefix::containing(zero, 0);
}

std::vector<Family> families_of(const std::vector<PoolRecord>& pools) {
  std::vector<Family> families;
  for (const auto family : {Family::v4, Family::v6}) {
    const bool used = std::any_of(pools.begin(), pools.end(), [&](const PoolRecord& pool) {
      return pool.block(family) != nullptr;
    });
    if (used) families.push_back(family);
  }
  return families;
}

Change neighbour(IfIndex device, const IpAddress& address, const Mac& mac) {
  return {NeighSpec{.device = device, .address = address, .mac = mac}, Verb::replace, {}};
}

Change route(IfIndex device, const IpPrefix& destination, const std::optional<IpAddress>& gateway,
             const std::optional<IpAddress>& source = std::nullopt) {
  RouteSpec spec;
  spec.destination = destination;
  spec.device = device;
  spec.gateway = gateway;
  spec.onlink = gateway.has_value();
  spec.preferred_source = source;
  return {spec, Verb::replace, {}};
}

Change address(IfIndex device, const IpAddress& address) {
  return {AddrRange{device, *IpRange::make(address, address)}, Verb::replace, {}};
}

bool is_there(const Change& change, const KnownEntries& known, const ObservedNamespace& have) {
  if (const auto* neigh = std::get_if<NeighSpec>(&change.object)) return known.has(*neigh);
  if (const auto* path = std::get_if<RouteSpec>(&change.object)) return known.has(*path);
  const auto& range = std::get<AddrRange>(change.object);
  return have.has_address(range.device, range.range.first());
}

/// Adds a step for those of `changes` that are not there.
void append_missing(Plan& plan, const char* name, std::string what, const Place& place,
                    std::vector<Change> changes, const ObservedNamespace& have) {
  const KnownEntries known(have);
  std::erase_if(changes, [&](const Change& change) { return is_there(change, known, have); });
  if (changes.empty()) return;
  Configure undo{place, changes, true};
  for (auto& change : undo.changes) change.verb = Verb::remove;
  std::reverse(undo.changes.begin(), undo.changes.end());
  plan.steps.push_back({.name = name,
                        .stage = Stage::s6_addresses,
                        .what = std::move(what),
                        .action = Configure{place, std::move(changes), false},
                        .undo = {std::move(undo)}});
}

void append_removal(Plan& plan, const char* name, std::string what, const Place& place,
                    std::vector<Change> changes) {
  if (changes.empty()) return;
  for (auto& change : changes) change.verb = Verb::remove;
  std::reverse(changes.begin(), changes.end());
  plan.steps.push_back({.name = name,
                        .stage = Stage::teardown,
                        .what = std::move(what),
                        .action = Configure{place, std::move(changes), true},
                        .undo = {}});
}

std::string node_table(const TenantRecord& tenant) {
  return kNodeTablePrefix + std::to_string(tenant.vni.value());
}

/// Before anything is raised: there is no moment without the rules.
void plan_rules(Plan& plan, const TenantRecord& tenant, const ObservedGateway& gateway,
                const GatewayChange& change) {
  const auto replace =
      [&](const char* name, const Place& place, const std::string& table, const std::string& there,
          std::string (*make)(const TenantRecord&, const std::vector<PoolRecord>&)) {
        std::string rules = make(tenant, change.after);
        if (comment_of(rules) == there) return;
        plan.steps.push_back(
            {.name = name,
             .stage = Stage::vtep,
             .what = "packet filter table " + table + " in the namespace of " + place.to_string(),
             .action = ReplaceRules{place, table, std::move(rules)},
             .undo = {ReplaceRules{place, table, make(tenant, change.before)}}});
      };
  replace("gateway.rules", Place::vtep(), kVtepTable, gateway.vtep_comment, &vtep_rules);
  replace("gateway.node.rules", Place::node(), node_table(tenant), gateway.node_comment,
          &node_rules);
}

Step uplink_step(const TenantRecord& tenant) {
  VethSpec veth;
  veth.name = tenant.uplink();
  veth.index = node_index(tenant);
  veth.mac = node_mac(tenant);
  veth.peer_name = kUplinkDevice;
  veth.peer_index = kUplinkIndex;
  veth.peer_mac = uplink_mac(tenant);
  veth.mtu = tenant.mtu;
  return {
      .name = "gateway.uplink",
      .stage = Stage::vtep,
      .what = "veth " + tenant.uplink() + " on the node <-> " + kUplinkDevice +
              " in the VTEP, both ends born in place",
      .action = Configure{Place::node(), {{veth, Verb::create, Place::vtep()}}, false},
      .undo = {Configure{Place::node(), {{LinkRemoval{tenant.uplink()}, Verb::remove, {}}}, true}}};
}

/// A namespace inherits what the host has switched on: with br_netfilter frames on the bridge would have
/// to pass these rules, too.
Step forwarding_step(const TenantRecord& tenant, bool v6) {
  std::vector<Sysctl> sysctls{{"net/bridge/bridge-nf-call-iptables", "0", true},
                              {"net/bridge/bridge-nf-call-ip6tables", "0", true},
                              {"net/ipv4/conf/all/send_redirects", "0", false},
                              {"net/ipv4/ip_forward", "1", false}};
  for (const auto& device : {tenant.bridge(), std::string(kUplinkDevice)}) {
    sysctls.push_back({"net/ipv4/conf/" + device + "/send_redirects", "0", false});
    if (!v6) continue;
    sysctls.push_back({"net/ipv6/conf/" + device + "/addr_gen_mode", "1", false});
    sysctls.push_back({"net/ipv6/conf/" + device + "/accept_ra", "0", false});
    sysctls.push_back({"net/ipv6/conf/" + device + "/disable_ipv6", "0", false});
  }
  if (v6) sysctls.push_back({"net/ipv6/conf/all/forwarding", "1", false});
  return {.name = "gateway.forwarding",
          .stage = Stage::vtep,
          .what = "the VTEP forwards for its pools",
          .action = WriteSysctls{Place::vtep(), std::move(sysctls)},
          .undo = {}};
}

Step raise_step(const char* name, const Place& place, std::vector<LinkChange> links) {
  Configure configure{place, {}, false};
  for (auto& link : links) configure.changes.push_back({std::move(link), Verb::replace, {}});
  return {.name = name,
          .stage = Stage::vtep,
          .what = "raise the uplink in the namespace of " + place.to_string(),
          .action = std::move(configure),
          .undo = {}};
}

LinkChange up(IfIndex index, const TenantRecord& tenant) {
  LinkChange change;
  change.index = index;
  change.up = true;
  change.alias =
      "particle tenant=" + tenant.tenant + " vni=" + std::to_string(tenant.vni.value()) + " uplink";
  return change;
}

bool is_up(const ObservedNamespace& have, const std::string& device) {
  const ObservedLink* link = have.link(device);
  return link != nullptr && link->up;
}

/// The uplink's devices; whether they were all there.
bool plan_uplink(Plan& plan, const TenantRecord& tenant, const ObservedGateway& gateway, bool v6) {
  const bool whole =
      gateway.node.link(tenant.uplink()) != nullptr && gateway.vtep.link(kUplinkDevice) != nullptr;
  if (!whole && gateway.node.link(tenant.uplink()) != nullptr) {
    append_removal(plan, "gateway.orphan", "remove " + tenant.uplink() + ", half of an uplink",
                   Place::node(), {{LinkRemoval{tenant.uplink()}, Verb::remove, {}}});
  }
  if (!whole) plan.steps.push_back(uplink_step(tenant));
  const bool has_v6 = gateway.vtep.has_address(kBridgeIndex, gateway_address(Family::v6));
  if (!whole || (v6 && !has_v6)) plan.steps.push_back(forwarding_step(tenant, v6));
  const ObservedLink* bridge = gateway.vtep.link(tenant.bridge());
  const bool right_mac = bridge != nullptr && bridge->mac == bridge_mac(tenant);
  if (!whole || !right_mac || !is_up(gateway.vtep, kUplinkDevice)) {
    LinkChange mac;
    mac.index = kBridgeIndex;
    mac.mac = bridge_mac(tenant);
    plan.steps.push_back(
        raise_step("gateway.up", Place::vtep(), {std::move(mac), up(kUplinkIndex, tenant)}));
  }
  if (!whole || !is_up(gateway.node, tenant.uplink())) {
    plan.steps.push_back(
        raise_step("gateway.node.up", Place::node(), {up(node_index(tenant), tenant)}));
  }
  return whole;
}

std::vector<Change> vtep_entries(const TenantRecord& tenant, const std::vector<Family>& families) {
  std::vector<Change> changes;
  for (const Family family : families) {
    changes.push_back(address(kBridgeIndex, gateway_address(family)));
    changes.push_back(address(kUplinkIndex, uplink_address(tenant.vni, family)));
    changes.push_back(neighbour(kUplinkIndex, node_gateway(family), node_mac(tenant)));
    changes.push_back(route(kUplinkIndex, everything(family), node_gateway(family)));
  }
  return changes;
}

/// The way from the VTEP into a pool.
std::vector<Change> inward_entries(const PoolRecord& pool) {
  std::vector<Change> changes;
  for (const auto& block : pool.blocks) {
    changes.push_back(neighbour(kBridgeIndex, block.primary(), pool.mac));
    changes.push_back(route(kBridgeIndex, IpPrefix::host(block.primary()), std::nullopt));
    for (const auto& prefix : block.owned) {
      if (prefix != IpPrefix::host(block.primary()))
        changes.push_back(route(kBridgeIndex, prefix, block.primary()));
    }
  }
  return changes;
}

std::vector<Change> node_entries(const TenantRecord& tenant, const std::vector<Family>& families) {
  std::vector<Change> changes;
  for (const Family family : families) {
    const IpAddress uplink = uplink_address(tenant.vni, family);
    changes.push_back(neighbour(node_index(tenant), uplink, uplink_mac(tenant)));
    changes.push_back(route(node_index(tenant), IpPrefix::host(uplink), std::nullopt));
  }
  return changes;
}

/// The node's way to a routed pool.
std::vector<Change> routed_entries(const TenantRecord& tenant, const PoolRecord& pool) {
  std::vector<Change> changes;
  if (pool.egress != Egress::routed) return changes;
  for (const auto& prefix : pool.owned()) {
    const IpAddress uplink = uplink_address(tenant.vni, prefix.family());
    changes.push_back(route(node_index(tenant), prefix, uplink));
  }
  return changes;
}

std::vector<Change> pool_entries(const TenantRecord& tenant, const PoolRecord& pool) {
  std::vector<Change> changes;
  for (const auto& block : pool.blocks) {
    const Family family = block.primary().family();
    changes.push_back(neighbour(kGuestIndex, gateway_address(family), bridge_mac(tenant)));
    changes.push_back(
        route(kGuestIndex, everything(family), gateway_address(family), block.primary()));
  }
  return changes;
}

std::vector<Change> joined(std::vector<Change> a, std::vector<Change> b) {
  std::move(b.begin(), b.end(), std::back_inserter(a));
  return a;
}

}  // namespace

void plan_gateway(Plan& plan, const TenantRecord& tenant, const PoolRecord& pool,
                  const ObservedNamespace& have, const ObservedGateway& gateway,
                  const GatewayChange& change) {
  const auto families = families_of(change.after);
  const bool v6 = std::find(families.begin(), families.end(), Family::v6) != families.end();
  plan_rules(plan, tenant, gateway, change);
  const bool whole = plan_uplink(plan, tenant, gateway, v6);
  // What is observed on a device that is being made anew went with the old one, and raising one that
  // was down loses some of what it still shows (IPv6).
  const ObservedNamespace none;
  const bool vtep_up = whole && is_up(gateway.vtep, kUplinkDevice);
  const bool node_up = whole && is_up(gateway.node, tenant.uplink());
  append_missing(plan, "gateway.routes", "the VTEP's routes, out and to pool " + pool.name,
                 Place::vtep(), joined(vtep_entries(tenant, families), inward_entries(pool)),
                 vtep_up ? gateway.vtep : none);
  append_missing(plan, "gateway.node.routes", "the node's routes to tenant " + tenant.tenant,
                 Place::node(),
                 joined(node_entries(tenant, families), routed_entries(tenant, pool)),
                 node_up ? gateway.node : none);
  append_missing(plan, "pool.gateway", "a default route in pool " + pool.name,
                 Place::of_pool(pool.name), pool_entries(tenant, pool), have);
}

void plan_gateway_removal(Plan& plan, const TenantRecord& tenant, const PoolRecord& pool,
                          const std::vector<PoolRecord>& rest, bool whole) {
  const auto replace = [&](const char* name, const Place& place, const std::string& table,
                           std::string rules) {
    const std::string what = rules.empty() ? "remove" : "shrink";
    plan.steps.push_back({.name = name,
                          .stage = Stage::teardown,
                          .what = what + " packet filter table " + table + " in the namespace of " +
                                  place.to_string(),
                          .action = ReplaceRules{place, table, std::move(rules)},
                          .undo = {}});
  };
  if (rest.empty()) {
    append_removal(plan, "gateway.uplink.remove", "remove " + tenant.uplink(), Place::node(),
                   {{LinkRemoval{tenant.uplink()}, Verb::remove, {}}});
  } else {
    append_removal(plan, "gateway.node.routes.remove", "the node's routes to pool " + pool.name,
                   Place::node(), routed_entries(tenant, pool));
  }
  replace("gateway.node.rules.remove", Place::node(), node_table(tenant), node_rules(tenant, rest));
  if (whole) return;
  append_removal(plan, "gateway.routes.remove", "the VTEP's routes to pool " + pool.name,
                 Place::vtep(), inward_entries(pool));
  if (rest.empty()) {
    // Without a route there is nothing left to forward.
    append_removal(plan, "gateway.remove", "the gateway's addresses", Place::vtep(),
                   vtep_entries(tenant, {Family::v4, Family::v6}));
  }
  replace("gateway.rules.remove", Place::vtep(), kVtepTable, vtep_rules(tenant, rest));
}

std::string port_name(const PublishedPort& port) {
  return std::string(to_string(port.protocol)) + "-" + std::to_string(port.node_port);
}

void plan_ports(Plan& plan, const Layout& layout, const PoolRecord& pool) {
  for (const auto& port : pool.published) {
    const std::string path = layout.port(port_name(port));
    plan.steps.push_back({.name = "record.port",
                          .stage = Stage::record,
                          .what = "reserve port " + port.to_string() + " of the node",
                          .action = MakeSymlink{"../pools/" + pool.name, path},
                          .undo = {RemoveFile{path}}});
  }
}

void plan_ports_removal(Plan& plan, const Layout& layout, const PoolRecord& pool) {
  for (const auto& port : pool.published) {
    const std::string path = layout.port(port_name(port));
    plan.steps.push_back({.name = "record.port.remove",
                          .stage = Stage::record,
                          .what = "let port " + port.to_string() + " of the node go",
                          .action = RemoveFile{path},
                          .undo = {}});
  }
}

Result<void> check_routed(const TenantRecord& tenant, const PoolRecord& pool,
                          const ObservedNamespace& node) {
  if (pool.egress != Egress::routed) return {};
  const ObservedLink* own = node.link(tenant.uplink());
  for (const auto& prefix : pool.owned()) {
    for (const auto& there : node.routes) {
      if (there.kind != RouteKind::unicast || there.destination.length() == 0) continue;
      if ((own != nullptr && there.device == own->index) || !there.destination.overlaps(prefix))
        continue;
      const ObservedLink* device = node.link(there.device);
      return fail(Error::of(
          Errc::conflict,
          "pool " + pool.name + ": egress routed would route " + prefix.to_string() +
              " on this node, which has a route for " + there.destination.to_string() +
              (device != nullptr ? " (" + device->name + ")" : "") + " already",
          "choose other addresses, or --egress masquerade, with which tenants may have the same"));
    }
  }
  return {};
}

}  // namespace particle
