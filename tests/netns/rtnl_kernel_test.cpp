// SPDX-License-Identifier: Apache-2.0
// The encoders and the conversation against the kernel itself, read back by iproute2.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <linux/rtnetlink.h>
#include <nlohmann/json.hpp>

#include <particle/addr.hpp>
#include <particle/link.hpp>
#include <particle/neigh.hpp>
#include <particle/netns.hpp>
#include <particle/route.hpp>

#include "nl/writer.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

constexpr IfIndex kLoopback{1};

IpAddress ip(const char* text) {
  return must(IpAddress::parse(text));
}

nlohmann::json ask(const std::vector<std::string>& argv, const NetNs& netns) {
  const CommandResult result = run_command(argv, &netns);
  REQUIRE(result.exit_code == 0);
  return nlohmann::json::parse(result.out.empty() ? "[]" : result.out);
}

LinkChange up(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return change;
}

/// A tenant's bridge with a vxlan port, and a pool's namespace on it, the way a node has them.
struct Tenant {
  TwoNodes nodes = make_two_nodes();
  FreshNetNs vtep = must(create_netns());
  FreshNetNs pool = must(create_netns());
  IfIndex bridge{10};
  IfIndex vxlan{11};
  IfIndex port{12};
  IfIndex pool_device{2};

  Tenant() {
    must(vtep.session.apply(
        encode_bridge({"br0", bridge, must(Mtu::from(1450)), Mac::derive("bridge")})));
    must(nodes.session_a.apply(encode_vxlan(vxlan_spec())));
    must(vtep.session.apply(encode_veth(veth_spec())));
    for (const IfIndex device : {bridge, vxlan, port}) {
      must(vtep.session.apply(encode_link_change(up(device))));
    }
    must(pool.session.apply(encode_link_change(up(pool_device))));
    must(pool.session.apply(encode_link_change(up(kLoopback))));
  }

  [[nodiscard]] VxlanSpec vxlan_spec() const {
    VxlanSpec spec;
    spec.name = "vx42";
    spec.index = vxlan;
    spec.vni = must(Vni::from(42));
    spec.local = ip("192.0.2.1");
    spec.underlay = nodes.underlay_a;
    spec.mtu = must(Mtu::from(1450));
    spec.master = bridge;
    spec.netns_fd = vtep.netns.fd();
    return spec;
  }

  [[nodiscard]] VethSpec veth_spec() const {
    VethSpec spec;
    spec.name = "vp0";
    spec.index = port;
    spec.master = bridge;
    spec.peer_name = "eth0";
    spec.peer_index = pool_device;
    spec.peer_mac = Mac::derive("pool");
    spec.peer_netns_fd = pool.netns.fd();
    spec.mtu = must(Mtu::from(1450));
    return spec;
  }
};

}  // namespace

TEST_CASE("rtnl: bridge, vxlan and veth are born in place, as asked") {
  if (!need_namespaces()) return;
  Tenant tenant;
  const auto bridge = ask({"ip", "-j", "-d", "link", "show", "br0"}, tenant.vtep.netns).at(0);
  CHECK(bridge.at("address") == Mac::derive("bridge").to_string());
  CHECK(bridge.at("mtu") == 1450);
  CHECK(bridge.at("linkinfo").at("info_data").at("stp_state") == 0);
  CHECK(bridge.at("linkinfo").at("info_data").at("mcast_snooping") == 0);
  const auto vxlan = ask({"ip", "-j", "-d", "link", "show", "vx42"}, tenant.vtep.netns).at(0);
  CHECK(vxlan.at("master") == "br0");
  CHECK(vxlan.at("linkinfo").at("info_data").at("id") == 42);
  CHECK(vxlan.at("linkinfo").at("info_data").at("port") == 4789);
  CHECK(vxlan.at("linkinfo").at("info_data").at("local") == "192.0.2.1");
  CHECK(vxlan.at("linkinfo").at("info_data").at("learning") == false);
  const auto port = ask({"ip", "-j", "link", "show", "vp0"}, tenant.vtep.netns).at(0);
  CHECK(port.at("master") == "br0");
  const auto device = ask({"ip", "-j", "link", "show", "eth0"}, tenant.pool.netns).at(0);
  CHECK(device.at("ifindex") == 2);
  CHECK(device.at("mtu") == 1450);
  CHECK(device.at("address") == Mac::derive("pool").to_string());
}

TEST_CASE("rtnl: a port takes its settings, an alias and a release") {
  if (!need_namespaces()) return;
  Tenant tenant;
  LinkChange change;
  change.index = tenant.port;
  change.alias = "particle:a";
  change.port = BridgePortSpec{false, true, false, true, true, true};
  must(tenant.vtep.session.apply(encode_link_change(change)));
  const auto port = ask({"ip", "-j", "-d", "link", "show", "vp0"}, tenant.vtep.netns).at(0);
  CHECK(port.at("ifalias") == "particle:a");
  const auto& data = port.at("linkinfo").at("info_slave_data");
  CHECK(data.at("learning") == false);
  CHECK(data.at("mcast_flood") == false);
  CHECK(data.at("bcast_flood") == true);
  CHECK(data.at("neigh_suppress") == true);
  CHECK(data.at("isolated") == true);
  LinkChange release;
  release.index = tenant.port;
  release.master = IfIndex{};
  must(tenant.vtep.session.apply(encode_link_change(release)));
  const auto after = ask({"ip", "-j", "link", "show", "vp0"}, tenant.vtep.netns).at(0);
  CHECK_FALSE(after.contains("master"));
}

TEST_CASE("rtnl: a thousand addresses are set and removed, every refusal has the kernel's text") {
  if (!need_namespaces()) return;
  FreshNetNs fresh = must(create_netns());
  const IpRange range = must(IpRange::parse("10.0.0.1-10.0.3.232"));
  const auto requests = encode_addr_range(kLoopback, range);
  REQUIRE(requests.size() == 1000);
  must(fresh.session.apply(requests));
  const auto again = must(fresh.session.transact(requests));
  CHECK(std::ranges::all_of(again, [](const Verdict& one) { return one.error == EEXIST; }));
  const std::string words = to_error(again[6], requests[6]).message();
  CHECK(words.starts_with("RTM_NEWADDR 10.0.0.7/32 ifindex 1: File exists"));
  // Kernels before 6.3 say nothing here.
  CHECK((again[6].kernel_message.empty() || words.ends_with("already assigned)")));
  const auto shown = ask({"ip", "-j", "addr", "show", "lo"}, fresh.netns).at(0);
  CHECK(shown.at("addr_info").size() == 1000);
  must(fresh.session.apply(encode_addr_range(kLoopback, range, Verb::remove)));
  CHECK(ask({"ip", "-j", "addr", "show", "lo"}, fresh.netns).at(0).at("addr_info").empty());
}

TEST_CASE("rtnl: routes, neighbours and FDB entries are set, shown and removed") {
  if (!need_namespaces()) return;
  Tenant tenant;
  Session& pool = tenant.pool.session;
  RouteSpec local{must(IpPrefix::parse("10.1.0.0/16")), kLoopback, RouteKind::local, {}, false, {}};
  RouteSpec remote{must(IpPrefix::parse("10.2.0.0/16")),
                   tenant.pool_device,
                   RouteKind::unicast,
                   ip("10.9.0.1"),
                   true,
                   ip("10.1.0.1")};
  RouteSpec six{must(IpPrefix::parse("fd02::/64")),
                tenant.pool_device,
                RouteKind::unicast,
                ip("fd09::1"),
                true,
                {}};
  const NeighSpec neigh{tenant.pool_device, ip("10.9.0.1"), Mac::derive("peer")};
  const FdbSpec fdb{tenant.vxlan, Mac::derive("peer"), ip("192.0.2.2")};
  const FdbSpec station{tenant.port, Mac::derive("pool"), {}};
  for (const Verb verb : {Verb::create, Verb::replace}) {
    CAPTURE(static_cast<int>(verb));
    for (const RouteSpec& route : {local, remote, six}) must(pool.apply(encode_route(route, verb)));
    must(pool.apply(encode_neigh(neigh, verb)));
    must(tenant.vtep.session.apply(encode_fdb(fdb, verb)));
    must(tenant.vtep.session.apply(encode_fdb(station, verb)));
  }
  const auto shown = ask({"ip", "-j", "route", "show", "10.2.0.0/16"}, tenant.pool.netns).at(0);
  CHECK(shown.at("gateway") == "10.9.0.1");
  CHECK(shown.at("prefsrc") == "10.1.0.1");
  CHECK(shown.at("flags").dump() == R"(["onlink"])");
  const auto neighbours = ask({"ip", "-j", "neigh", "show", "10.9.0.1"}, tenant.pool.netns);
  CHECK(neighbours.at(0).at("lladdr") == Mac::derive("peer").to_string());
  CHECK(neighbours.at(0).at("state").dump() == R"(["PERMANENT"])");
  const auto entries = ask({"bridge", "-j", "fdb", "show", "dev", "vx42"}, tenant.vtep.netns);
  CHECK(std::ranges::any_of(entries, [](const auto& entry) {
    return entry.value("dst", "") == "192.0.2.2" &&
           entry.at("mac") == Mac::derive("peer").to_string();
  }));
  for (const RouteSpec& route : {local, remote, six}) {
    must(pool.apply(encode_route(route, Verb::remove)));
    CHECK(pool.apply(encode_route(route, Verb::remove)).error().kind() == Errc::not_found);
  }
  must(pool.apply(encode_neigh(neigh, Verb::remove)));
  must(tenant.vtep.session.apply(encode_fdb(fdb, Verb::remove)));
  must(tenant.vtep.session.apply(encode_fdb(station, Verb::remove)));
}

TEST_CASE("rtnl: an IPv6 address is usable at once and makes no prefix route") {
  if (!need_namespaces()) return;
  Tenant tenant;
  must(tenant.pool.session.apply(encode_addr({tenant.pool_device, ip("fd00::7"), 64, true})));
  const auto device =
      ask({"ip", "-j", "-6", "addr", "show", "eth0", "scope", "global"}, tenant.pool.netns);
  const auto& address = device.at(0).at("addr_info").at(0);
  CHECK(address.at("local") == "fd00::7");
  CHECK_FALSE(address.contains("tentative"));
  CHECK(ask({"ip", "-j", "-6", "route", "show", "fd00::/64"}, tenant.pool.netns).empty());
}

TEST_CASE("rtnl: a dump of more than one datagram arrives whole") {
  if (!need_namespaces()) return;
  FreshNetNs fresh = must(create_netns());
  const IpRange range = must(IpRange::parse("10.0.0.1-10.0.7.208"));
  must(fresh.session.apply(encode_addr_range(kLoopback, range)));
  nl::MessageWriter writer(RTM_GETADDR, NLM_F_REQUEST);
  writer.family_header<ifaddrmsg>();
  std::size_t answers = 0;
  must(fresh.session.dump(writer.finish(), [&](auto) { ++answers; }, [&] { answers = 0; }));
  CHECK(answers == 2000);
}

}  // namespace particle::test
