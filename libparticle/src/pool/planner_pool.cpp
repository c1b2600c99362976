// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "pool/planner.hpp"

namespace particle {
namespace {

LinkChange raise(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return change;
}

Step veth_step(const PoolRecord& want, IfIndex bridge) {
  VethSpec veth;
  veth.name = want.port;
  veth.index = want.port_index;
  veth.master = bridge;
  veth.peer_name = kGuestDevice;
  veth.peer_index = kGuestIndex;
  veth.peer_mac = want.mac;
  veth.mtu = want.mtu;
  return {
      .name = "pool.veth",
      .stage = Stage::s2_veth,
      .what = "veth " + want.port + " (on the bridge) <-> " + kGuestDevice + " " +
              want.mac.to_string() + ", MTU " + std::to_string(want.mtu.value()) +
              ", both ends born in place",
      .action = Configure{Place::vtep(), {{veth, Verb::create, Place::of_pool(want.name)}}, false},
      .undo = {Configure{Place::vtep(), {{LinkRemoval{want.port}, Verb::remove, {}}}, true}}};
}

/// The tenant's vxlan device as the pool's own eth0. Its socket stays in the node's namespace, where
/// the request is sent. Nothing is learnt or flooded by it: peers are entered one by one.
Step direct_step(const TenantRecord& tenant, const PoolRecord& want) {
  VxlanSpec vxlan;
  vxlan.name = kGuestDevice;
  vxlan.index = kGuestIndex;
  vxlan.vni = tenant.vni;
  vxlan.local = tenant.vtep;
  vxlan.underlay = tenant.bound_device;
  vxlan.mtu = want.mtu;
  vxlan.mac = want.mac;
  const Place pool = Place::of_pool(want.name);
  return {.name = "pool.vxlan",
          .stage = Stage::s2_veth,
          .what = std::string("vxlan ") + kGuestDevice + " " + want.mac.to_string() + " (VNI " +
                  std::to_string(tenant.vni.value()) + ", local " + tenant.vtep.to_string() +
                  "), MTU " + std::to_string(want.mtu.value()) + ", born in place",
          .action = Configure{Place::node(), {{vxlan, Verb::create, pool}}, false},
          .undo = {Configure{pool, {{LinkRemoval{kGuestDevice}, Verb::remove, {}}}, true}}};
}

/// The pool's MAC is entered, not learnt: nobody can take it over by sending under it, and a pool
/// that never speaks is found. Unknown unicast is not flooded into a pool.
Step attach_step(const PoolRecord& want) {
  BridgePortSpec port;
  port.learning = false;
  port.unicast_flood = false;
  port.isolated = want.isolation == Isolation::job;
  LinkChange up = raise(want.port_index);
  up.alias = link_alias(want);
  up.port = port;
  const FdbSpec own{.device = want.port_index, .mac = want.mac, .remote = std::nullopt};
  return {.name = "pool.attach",
          .stage = Stage::s5_attach,
          .what = "raise " + want.port + "; static FDB entry for " + want.mac.to_string() +
                  (want.isolation == Isolation::job ? "; isolated from other jobs" : ""),
          .action =
              Configure{Place::vtep(), {{up, Verb::replace, {}}, {own, Verb::replace, {}}}, false},
          .undo = {}};
}

/// Both ends are up now. eth0, raised last, found its carrier and opened its queue at once; the
/// bridge opens its port when the kernel acts on the carrier there. So a pool that is there carries
/// traffic from its first packet on.
Step ready_step(const PoolRecord& want) {
  return {
      .name = "pool.ready",
      .stage = Stage::s5_attach,
      .what = "wait until the bridge forwards for " + want.port,
      .action = Configure{Place::vtep(), {{LinkSync{want.port_index}, Verb::replace, {}}}, false},
      .undo = {}};
}

bool is_altered(const ObservedLink& guest, const PoolRecord& want) {
  return guest.mac != want.mac || guest.mtu != want.mtu.value();
}

/// `have`: eth0 as it is, when it is not born in this plan.
Step up_step(const PoolRecord& want, const ObservedLink* have = nullptr) {
  LinkChange guest = raise(kGuestIndex);
  guest.alias = link_alias(want);
  std::string what = std::string("raise lo and ") + kGuestDevice;
  if (have != nullptr && is_altered(*have, want)) {
    // Only what differs: setting a MAC, even to what it is, drops the device's neighbours.
    if (have->mac != want.mac) guest.mac = want.mac;
    if (have->mtu != want.mtu.value()) guest.mtu = want.mtu;
    what = std::string(kGuestDevice) + " with MAC " + want.mac.to_string() + " and MTU " +
           std::to_string(want.mtu.value());
  }
  return {.name = "pool.up",
          .stage = Stage::s5_attach,
          .what = std::move(what),
          .action = Configure{Place::of_pool(want.name),
                              {{raise(kLoopbackIndex), Verb::replace, {}},
                               {guest, Verb::replace, {}},
                               // So that `ip link` shows it as UP at once, too.
                               {LinkSync{kGuestIndex}, Verb::replace, {}}},
                              false},
          .undo = {}};
}

/// One end of a veth whose other end is gone, or whatever else is in the way.
void remove_orphan(Plan& plan, const Place& place, const std::string& device,
                   const ObservedNamespace& have) {
  if (have.link(device) == nullptr) return;
  plan.steps.push_back({.name = "pool.orphan",
                        .stage = Stage::s2_veth,
                        .what = "remove " + device + ", which is half of what it was",
                        .action = Configure{place, {{LinkRemoval{device}, Verb::remove, {}}}, true},
                        .undo = {}});
}

bool is_enslaved(const ObservedLink& port, const ObservedLink* bridge) {
  return bridge != nullptr && port.master == bridge->index;
}

/// Up, on the bridge, and the pool's MAC entered.
bool is_attached(const PoolRecord& want, const ObservedLink* port, const ObservedLink* bridge,
                 const ObservedNamespace& vtep) {
  return port != nullptr && port->up && is_enslaved(*port, bridge) &&
         std::any_of(vtep.fdb.begin(), vtep.fdb.end(), [&](const FdbSpec& entry) {
           return entry.device == want.port_index && entry.mac == want.mac && !entry.remote;
         });
}

void enslave_first(Step& attach, const ObservedLink& port, IfIndex bridge) {
  LinkChange enslave;
  enslave.index = port.index;
  enslave.master = bridge;
  auto& changes = std::get<Configure>(attach.action).changes;
  changes.insert(changes.begin(), {enslave, Verb::replace, {}});
}

/// The addresses that are to be on eth0: every endpoint, or only the primary one.
IpRange device_addresses(const PoolRecord& record, const EndpointBlock& block) {
  return record.mode == AddressMode::secondary && record.isolation != Isolation::container
             ? block.endpoints
             : block.endpoints.first_n(1);
}

/// The parts of `range` that are not on eth0, as few ranges as possible.
std::vector<IpRange> missing_of(const IpRange& range, const ObservedNamespace& have) {
  if (have.addresses.empty()) return {range};
  std::vector<IpRange> missing;
  std::optional<IpAddress> start;
  IpAddress previous;
  for (std::uint64_t i = 0; i < range.size(); ++i) {
    const IpAddress address = range.at(i);
    const bool there = have.has_address(kGuestIndex, address);
    if (!there && !start) start = address;
    if (there && start)
      missing.push_back(*IpRange::make(*std::exchange(start, std::nullopt), previous));
    previous = address;
  }
  if (start) missing.push_back(*IpRange::make(*start, previous));
  return missing;
}

/// The part of `before` that `after` lacks. Both begin at the same address.
std::optional<IpRange> tail_of(const IpRange& before, const IpRange& after) {
  if (before.size() <= after.size()) return std::nullopt;
  return IpRange::make(before.at(after.size()), before.last()).value();
}

/// What becomes local by a route. In mode anyip that is all the pool owns; otherwise only IPv6
/// addresses need it, whose own local routes the kernel adds later, from a work queue: until then a
/// connect to them fails with EHOSTUNREACH.
std::vector<IpPrefix> local_prefixes(const PoolRecord& want, const EndpointBlock& block) {
  const bool router = want.isolation == Isolation::container;
  if (want.mode == AddressMode::anyip && !router) return block.owned;
  if (block.primary().is_v4()) return {};
  return device_addresses(want, block).to_prefixes();
}

std::vector<RouteSpec> wanted_routes(const PoolRecord& want, const EndpointBlock& block) {
  std::vector<RouteSpec> routes;
  RouteSpec onlink;
  onlink.destination = block.asked.prefix;
  onlink.device = kGuestIndex;
  onlink.preferred_source = block.primary();
  if (onlink.destination.length() < block.primary().bits()) routes.push_back(onlink);
  for (const auto& prefix : local_prefixes(want, block)) {
    // An IPv4 address on eth0 is local by that alone.
    if (prefix == IpPrefix::host(block.primary()) && block.primary().is_v4()) continue;
    RouteSpec local;
    local.destination = prefix;
    local.device = kLoopbackIndex;
    local.kind = RouteKind::local;
    routes.push_back(local);
  }
  return routes;
}

/// The device counts: beside our local routes, on lo, the kernel makes one per address, on eth0.
bool same_route(const RouteSpec& a, const RouteSpec& b) {
  return a.destination == b.destination && a.kind == b.kind && a.device == b.device;
}

bool has_route(const ObservedNamespace& have, const RouteSpec& route) {
  return std::any_of(have.routes.begin(), have.routes.end(),
                     [&](const RouteSpec& there) { return same_route(there, route); });
}

std::vector<RouteSpec> all_routes(const PoolRecord& record) {
  std::vector<RouteSpec> routes;
  for (const auto& block : record.blocks) {
    auto some = wanted_routes(record, block);
    routes.insert(routes.end(), some.begin(), some.end());
  }
  return routes;
}

std::string count_of(std::uint64_t n, const std::string& noun) {
  std::string one = std::to_string(n) + " " + noun;
  if (n == 1) return one;
  return one + (noun.back() == 's' ? "es" : "s");
}

void add_addresses(Plan& plan, const PoolRecord& want, const ObservedNamespace& have) {
  Configure add{Place::of_pool(want.name), {}, false};
  Configure undo{Place::of_pool(want.name), {}, true};
  std::uint64_t count = 0;
  std::string shown;
  for (const auto& block : want.blocks) {
    for (const auto& range : missing_of(device_addresses(want, block), have)) {
      add.changes.push_back({AddrRange{kGuestIndex, range}, Verb::create, {}});
      undo.changes.push_back({AddrRange{kGuestIndex, range}, Verb::remove, {}});
      count += range.size();
      shown += (shown.empty() ? "" : ", ") + range.to_string();
    }
  }
  if (count == 0) return;
  plan.steps.push_back({.name = "pool.addresses",
                        .stage = Stage::s6_addresses,
                        .what = count_of(count, "address") + " on " + kGuestDevice + ": " + shown,
                        .action = std::move(add),
                        .undo = {std::move(undo)}});
}

void remove_addresses(Plan& plan, const PoolRecord& want, const PoolRecord& was) {
  Configure remove{Place::of_pool(want.name), {}, true};
  Configure undo{Place::of_pool(want.name), {}, false};
  std::string shown;
  for (const auto& block : was.blocks) {
    const auto* now = want.block(block.endpoints.family());
    if (now == nullptr) continue;
    const auto tail = tail_of(device_addresses(was, block), device_addresses(want, *now));
    if (!tail) continue;
    remove.changes.push_back({AddrRange{kGuestIndex, *tail}, Verb::remove, {}});
    undo.changes.push_back({AddrRange{kGuestIndex, *tail}, Verb::replace, {}});
    shown += (shown.empty() ? "" : ", ") + tail->to_string();
  }
  if (remove.changes.empty()) return;
  plan.steps.push_back({.name = "pool.addresses.remove",
                        .stage = Stage::s6_addresses,
                        .what = "take off " + shown,
                        .action = std::move(remove),
                        .undo = {std::move(undo)}});
}

void change_routes(Plan& plan, const PoolRecord& want, const ObservedNamespace& have,
                   const std::vector<PoolRecord>& was) {
  Configure change{Place::of_pool(want.name), {}, false};
  Configure undo{Place::of_pool(want.name), {}, true};
  std::string shown;
  const auto wanted = all_routes(want);
  for (const auto& route : wanted) {
    if (has_route(have, route)) continue;
    change.changes.push_back({route, Verb::create, {}});
    undo.changes.push_back({route, Verb::remove, {}});
    shown += (shown.empty() ? "" : ", ");
    shown +=
        (route.kind == RouteKind::local ? "local " : "on-link ") + route.destination.to_string();
  }
  if (!change.changes.empty()) {
    plan.steps.push_back({.name = "pool.routes",
                          .stage = Stage::s6_addresses,
                          .what = shown,
                          .action = std::move(change),
                          .undo = {std::move(undo)}});
  }
  for (const auto& old : was) {
    Configure remove{Place::of_pool(want.name), {}, true};
    Configure restore{Place::of_pool(want.name), {}, false};
    for (const auto& route : all_routes(old)) {
      const bool kept = std::any_of(wanted.begin(), wanted.end(),
                                    [&](const auto& w) { return same_route(w, route); });
      if (kept || !has_route(have, route)) continue;
      remove.changes.push_back({route, Verb::remove, {}});
      restore.changes.push_back({route, Verb::replace, {}});
    }
    if (remove.changes.empty()) continue;
    plan.steps.push_back({.name = "pool.routes.remove",
                          .stage = Stage::s6_addresses,
                          .what = "take off " + count_of(remove.changes.size(), "route"),
                          .action = std::move(remove),
                          .undo = {std::move(restore)}});
  }
}

}  // namespace

std::string link_alias(const PoolRecord& pool) {
  return "particle pool=" + pool.name + " tenant=" + pool.tenant +
         " vni=" + std::to_string(pool.vni.value());
}

PortIdentity make_port_identity(const std::string& pool, std::uint64_t random) {
  static constexpr std::string_view kAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";
  std::string name = pool.substr(0, 8) + "-";
  for (int i = 0; i < 5; ++i) name += kAlphabet[(random >> (5 * i)) & 31U];
  // Below 2^16 the kernel numbers devices itself.
  const auto index = static_cast<std::uint32_t>(0x10000U + ((random >> 32U) & 0xFFFFFU));
  return {std::move(name), IfIndex{index}};
}

std::vector<Sysctl> pool_sysctls(const PoolRecord& record) {
  const bool routes = record.isolation == Isolation::container;
  // Inherited from the host's namespace, where a container engine may have switched it on.
  std::vector<Sysctl> sysctls{{"net/ipv4/ip_forward", routes ? "1" : "0", false}};
  if (routes) {
    sysctls.push_back({"net/ipv4/conf/all/send_redirects", "0", false});
    sysctls.push_back({"net/ipv4/conf/default/send_redirects", "0", false});
  }
  if (record.block(Family::v6) == nullptr) {
    sysctls.push_back({"net/ipv6/conf/default/disable_ipv6", "1", true});
    return sysctls;
  }
  // No router advertisements and no automatic link-local address; addresses carry IFA_F_NODAD. Only
  // a router needs one: it solicits the neighbours it forwards to under no other address.
  sysctls.push_back({"net/ipv6/conf/default/accept_ra", "0", false});
  sysctls.push_back({"net/ipv6/conf/default/addr_gen_mode", routes ? "0" : "1", false});
  if (routes) sysctls.push_back({"net/ipv6/conf/default/accept_dad", "0", false});
  // An AnyIP address is on no device, which bind(2) would otherwise insist on (IPv6 only).
  if (record.mode == AddressMode::anyip)
    sysctls.push_back({"net/ipv6/ip_nonlocal_bind", "1", false});
  if (routes) sysctls.push_back({"net/ipv6/conf/all/forwarding", "1", false});
  return sysctls;
}

bool has_whole_device(const PoolRecord& pool, const ObservedNamespace& have,
                      const ObservedNamespace& vtep) {
  const ObservedLink* guest = have.link(kGuestDevice);
  if (pool.attachment == Attachment::direct) return guest != nullptr && guest->kind == "vxlan";
  return guest != nullptr && vtep.link(pool.port) != nullptr;
}

namespace {

/// The veth and its place on the bridge, as far as they are not there; whether anything was not.
bool plan_veth(Plan& plan, const TenantRecord& tenant, const PoolRecord& want,
               const ObservedNamespace& have, const ObservedNamespace& vtep) {
  const bool whole = has_whole_device(want, have, vtep);
  const ObservedLink* bridge = vtep.link(tenant.bridge());
  const IfIndex bridge_index = bridge != nullptr ? bridge->index : kBridgeIndex;
  if (!whole) {
    remove_orphan(plan, Place::vtep(), want.port, vtep);
    remove_orphan(plan, Place::of_pool(want.name), kGuestDevice, have);
    plan.steps.push_back(veth_step(want, bridge_index));
  }
  const ObservedLink* port = whole ? vtep.link(want.port) : nullptr;
  if (is_attached(want, port, bridge, vtep)) return false;
  Step step = attach_step(want);
  // The kernel takes port settings only from what is a port already: enslave first.
  if (port != nullptr && !is_enslaved(*port, bridge)) enslave_first(step, *port, bridge_index);
  plan.steps.push_back(std::move(step));
  return true;
}

}  // namespace

bool plan_devices(Plan& plan, const Layout& layout, const TenantRecord& tenant,
                  const PoolRecord& want, const ObservedNamespace& have,
                  const ObservedNamespace& vtep) {
  if (!have.exists) {
    const std::string pin = layout.pool_pin(want.name);
    plan.steps.push_back(
        {.name = "pool.namespace",
         .stage = Stage::s1_namespace,
         .what = "namespace of pool " + want.name + ", pinned at " + pin,
         .action = MakeNamespace{Place::of_pool(want.name), pin, pool_sysctls(want),
                                 want.attachment == Attachment::direct ? kNodeNetNsId : 0},
         .undo = {RemoveNamespace{Place::of_pool(want.name), pin}}});
  }
  const bool whole = has_whole_device(want, have, vtep);
  const bool direct = want.attachment == Attachment::direct;
  bool attach = false;
  if (!direct) {
    attach = plan_veth(plan, tenant, want, have, vtep);
  } else if (!whole) {
    remove_orphan(plan, Place::of_pool(want.name), kGuestDevice, have);
    plan.steps.push_back(direct_step(tenant, want));
  }
  const ObservedLink* guest = whole ? have.link(kGuestDevice) : nullptr;
  const ObservedLink* loopback = have.link(kLoopbackIndex);
  const bool raise = guest == nullptr || !guest->up || loopback == nullptr || !loopback->up ||
                     is_altered(*guest, want);
  if (raise) plan.steps.push_back(up_step(want, guest));
  // A vxlan device has no carrier to wait for.
  return !direct && (raise || attach);
}

void plan_ready(Plan& plan, const PoolRecord& want) {
  plan.steps.push_back(ready_step(want));
}

void plan_addresses(Plan& plan, const PoolRecord& want, const ObservedNamespace& have,
                    const std::vector<PoolRecord>& was) {
  add_addresses(plan, want, have);
  change_routes(plan, want, have, was);
  for (const auto& old : was) remove_addresses(plan, want, old);
}

bool is_whole_endpoint(const PoolRecord& pool, std::uint64_t index, const ObservedNamespace& have) {
  const ObservedLink* guest = have.link(kGuestDevice);
  if (guest == nullptr || !guest->up) return false;
  return std::all_of(pool.blocks.begin(), pool.blocks.end(), [&](const EndpointBlock& block) {
    const bool routed = std::any_of(have.routes.begin(), have.routes.end(), [&](const auto& r) {
      return r.destination.length() == 0 && r.gateway == block.primary();
    });
    return routed && have.has_address(guest->index, block.endpoints.at(index));
  });
}

Mac endpoint_mac(const PoolRecord& pool, std::uint64_t index) {
  return Mac::derive("particle/endpoint/" + pool.mac.to_string() + "/" + std::to_string(index));
}

void plan_endpoint(Plan& plan, const Layout& layout, const PoolRecord& pool, std::uint64_t index,
                   const PortIdentity& port, const ObservedNamespace& have) {
  if (is_whole_endpoint(pool, index, have)) return;
  const Place place = Place::of_endpoint(pool.name, index);
  const Endpoint endpoint = pool.endpoint(index);
  PoolRecord own = pool;  // the same devices as a pool's, with one endpoint
  own.isolation = Isolation::tenant;
  own.mode = AddressMode::secondary;
  own.port = port.name;
  own.port_index = port.index;
  own.mac = endpoint_mac(pool, index);
  const std::string pin = layout.endpoint_pin(pool.name, index);
  if (!have.exists) {
    plan.steps.push_back(
        {.name = "endpoint.namespace",
         .stage = Stage::s1_namespace,
         .what = "namespace of endpoint " + endpoint.to_string() + ", pinned at " + pin,
         .action = MakeNamespace{place, pin, pool_sysctls(own), 0},
         .undo = {RemoveNamespace{place, pin}}});
  } else if (have.link(kGuestDevice) != nullptr) {
    plan.steps.push_back(
        {.name = "endpoint.clear",
         .stage = Stage::s2_veth,
         .what = "remove what is left of endpoint " + endpoint.to_string(),
         .action = Configure{place, {{LinkRemoval{kGuestDevice}, Verb::remove, {}}}, true},
         .undo = {}});
  }
  Step veth = veth_step(own, kBridgeIndex);
  std::get<Configure>(veth.action).changes.front().birthplace = place;
  Step up = up_step(own);
  std::get<Configure>(up.action).place = place;
  plan.steps.push_back(std::move(veth));
  plan.steps.push_back(attach_step(own));
  plan.steps.push_back(std::move(up));
  plan.steps.push_back(ready_step(own));

  Configure addresses{place, {}, false};
  for (const auto& block : pool.blocks) {
    const IpAddress address = block.endpoints.at(index);
    const IpAddress zero = address.is_v4() ? IpAddress{} : *IpAddress::parse("::");
    addresses.changes.push_back(
        {AddrRange{kGuestIndex, *IpRange::make(address, address)}, Verb::create, {}});
    RouteSpec route;
    route.device = kGuestIndex;
    route.preferred_source = address;
    // On-link is what the pool owns; the rest of the tenant's subnet is behind the router.
    for (const auto& owned : block.owned) {
      route.destination = owned;
      if (owned != IpPrefix::host(address)) addresses.changes.push_back({route, Verb::create, {}});
    }
    if (!address.is_v4()) {
      RouteSpec local;
      local.destination = IpPrefix::host(address);
      local.device = kLoopbackIndex;
      local.kind = RouteKind::local;
      // On lo, it outlives an eth0 that somebody took away.
      addresses.changes.push_back({local, Verb::replace, {}});
    }
    route.destination = IpPrefix::containing(zero, 0);
    route.gateway = block.primary();
    route.onlink = true;
    addresses.changes.push_back({route, Verb::create, {}});
  }
  plan.steps.push_back(
      {.name = "endpoint.addresses",
       .stage = Stage::s6_addresses,
       .what = endpoint.to_string() + " and a route through the pool's primary address",
       .action = std::move(addresses),
       .undo = {}});
}

}  // namespace particle
