// SPDX-License-Identifier: Apache-2.0
/// The devices, addresses and routes of a pool, each tried on scratch namespaces.
#include <optional>
#include <utility>

#include <particle/addr.hpp>
#include <particle/link.hpp>
#include <particle/neigh.hpp>
#include <particle/route.hpp>

#include "probe/report.hpp"
#include "probe/scratch.hpp"

namespace particle::probe {
namespace {

constexpr Mac kSomeMac{{0x02, 0, 0, 0, 0, 0x01}};  // locally administered

Finding tried(const Result<void>& outcome, std::string_view advice) {
  return outcome ? ok("") : refused(outcome.error(), advice);
}

Finding veth(Scratch& scratch) {
  VethSpec spec;
  spec.name = "probe";
  spec.index = kVeth;
  spec.peer_name = "probe";
  spec.peer_index = kVeth;
  spec.peer_netns_fd = scratch.guest.netns.fd();
  auto made = scratch.node.session.apply(encode_veth(spec));
  if (made) {
    LinkChange up;
    up.up = true;
    up.index = kVeth;
    made = scratch.guest.session.apply(encode_link_change(up));
  }
  return tried(made, "load the veth module, or use a kernel with CONFIG_VETH");
}

Finding bridge(Scratch& scratch) {
  BridgeSpec spec;
  spec.name = "probe-br";
  spec.index = kBridge;
  return tried(scratch.node.session.apply(encode_bridge(spec)),
               "load the bridge module, use a kernel with CONFIG_BRIDGE, or attach pools directly");
}

Finding vxlan(Scratch& scratch) {
  VxlanSpec spec;
  spec.name = "probe-vx";
  spec.index = kVxlan;
  const auto vni = Vni::from(1);
  if (!vni) return refused(vni.error(), "");
  spec.vni = *vni;
  spec.netns_fd = scratch.guest.netns.fd();
  return tried(scratch.node.session.apply(encode_vxlan(spec)),
               "load the vxlan module, or use a kernel with CONFIG_VXLAN");
}

Finding fdb(Scratch& scratch) {
  FdbSpec spec;
  spec.device = kVxlan;
  spec.mac = kSomeMac;
  spec.remote = IpAddress::parse("192.0.2.2").value_or(IpAddress{});
  return tried(scratch.guest.session.apply(encode_fdb(spec)), "needs vxlan");
}

Finding neighbour(Scratch& scratch) {
  NeighSpec spec;
  spec.device = kVeth;
  spec.address = IpAddress::parse("192.0.2.2").value_or(IpAddress{});
  spec.mac = kSomeMac;
  return tried(scratch.guest.session.apply(encode_neigh(spec)), "needs veth");
}

Finding any_ip(Scratch& scratch, std::string_view prefix, std::string_view advice) {
  LinkChange up;
  up.index = kLoopback;
  up.up = true;
  auto raised = scratch.guest.session.apply(encode_link_change(up));
  if (!raised) return refused(raised.error(), advice);
  RouteSpec spec;
  spec.destination = IpPrefix::parse(prefix).value_or(IpPrefix{});
  spec.device = kLoopback;
  spec.kind = RouteKind::local;
  return tried(scratch.guest.session.apply(encode_route(spec)), advice);
}

constexpr Subject kNamespaces{"network-namespaces", "one namespace per pool and VTEP", "3.0", true};
constexpr Subject kVethInPlace{"veth-in-place", "a pool's link, born at both ends without a move",
                               "3.7"};
constexpr Subject kBridgeDevice{"bridge", "a tenant's bridge (attachment veth)", ""};
constexpr Subject kVxlanAcross{
    "vxlan", "the tenant's overlay, its socket in the node's namespace and the device in another",
    "4.3", true};
constexpr Subject kFdb{"fdb", "one entry per peer: the MAC of its pool is behind its VTEP", "3.7"};
constexpr Subject kNeighbour{"permanent-neighbour", "one entry per peer, no ARP flood", ""};
constexpr Subject kAnyIp4{"anyip-ipv4", "address mode anyip: a whole prefix as one route", ""};
constexpr Subject kAnyIp6{"anyip-ipv6", "address mode anyip: a whole prefix as one route",
                          "2.6.37"};

void probe_devices(Report& report, Scratch& scratch) {
  add(report, kVethInPlace, veth(scratch));
  add(report, kBridgeDevice, bridge(scratch));
  add(report, kVxlanAcross, vxlan(scratch));
  add(report, kFdb, fdb(scratch));
  add(report, kNeighbour, neighbour(scratch));
  add(report, kAnyIp4, any_ip(scratch, "198.51.100.0/24", "use --mode secondary"));
  add(report, kAnyIp6,
      any_ip(scratch, "2001:db8:1::/64", "enable IPv6, or use IPv4 prefixes only"));
}

Result<Scratch> make_scratch() {
  auto node = create_netns();
  if (!node) return fail(std::move(node.error()));
  auto guest = create_netns();
  if (!guest) return fail(std::move(guest.error()));
  return Scratch{std::move(*node), std::move(*guest)};
}

}  // namespace

void probe_network(Report& report) {
  auto scratch = make_scratch();
  if (scratch) {
    add(report, kNamespaces, ok(""));
    probe_devices(report, *scratch);
    return;
  }
  add(report, kNamespaces, refused(scratch.error(), "use a kernel with CONFIG_NET_NS"));
  for (const Subject& subject :
       {kVethInPlace, kBridgeDevice, kVxlanAcross, kFdb, kNeighbour, kAnyIp4, kAnyIp6}) {
    add(report, subject, unknown("no scratch namespace to try it in", scratch.error().hint));
  }
}

}  // namespace particle::probe
