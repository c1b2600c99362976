// SPDX-License-Identifier: Apache-2.0
// Pools that talk: between two nodes, within one, and not across tenants.
#include <doctest/doctest.h>

#include <array>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "pool_scene.hpp"
#include "support/capture.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

constexpr std::uint64_t kEndpoints = 8;

/// One pool on each node that know each other as peers.
struct Pair {
  PoolInfo a;
  PoolInfo b;
  NetNs netns_a;
  NetNs netns_b;
};

PoolSpec dual_spec(const std::string& name, std::uint64_t vni, AddressMode mode, bool first) {
  PoolSpec spec = first ? pool_spec(name, "acme", vni, {"10.1.1.0/24", "fd00:1:1::/64"})
                        : pool_spec(name, "acme", vni, {"10.1.2.0/24", "fd00:1:2::/64"});
  spec.count = kEndpoints;
  spec.mode = mode;
  return spec;
}

Pair connect_pools(const Scene& scene, const PoolSpec& on_a, const PoolSpec& on_b) {
  PoolInfo a = make_pool(scene.a, on_a);
  PoolInfo b = make_pool(scene.b, on_b);
  must(scene.a.add_peer(as_peer(b)));
  must(scene.b.add_peer(as_peer(a)));
  NetNs netns_a = must(scene.a.open_pool_netns(a.name));
  NetNs netns_b = must(scene.b.open_pool_netns(b.name));
  return {std::move(a), std::move(b), std::move(netns_a), std::move(netns_b)};
}

/// Every endpoint of `a` to its opposite in `b`, each seen under its own address.
void check_every_pair(const Pair& pair, Family family) {
  const TokenServer server(pair.netns_b, "b");
  for (std::uint64_t i = 0; i < pair.a.capacity; ++i) {
    const IpAddress from = endpoint(pair.a, family, i);
    const IpAddress to = endpoint(pair.b, family, pair.b.capacity - 1 - i);
    CAPTURE(from.to_string());
    CAPTURE(to.to_string());
    CHECK(must(ask(pair.netns_a, from, to, server.port())) == "b " + from.to_string());
  }
}

/// Servers that listen on one endpoint each hear only what is meant for them.
void check_servers_on_endpoints(const Pair& pair, Family family) {
  const IpAddress first = endpoint(pair.b, family, 1);
  const IpAddress second = endpoint(pair.b, family, 2);
  const TokenServer one(pair.netns_b, "one", {first});
  const TokenServer two(pair.netns_b, "two", {second});
  const IpAddress from = endpoint(pair.a, family, 3);
  CHECK(must(ask(pair.netns_a, from, first, one.port())) == "one " + from.to_string());
  CHECK(must(ask(pair.netns_a, from, second, two.port())) == "two " + from.to_string());
  CHECK_FALSE(ask(pair.netns_a, from, second, one.port()));
  // A client that chooses no address speaks under its pool's first one.
  CHECK(must(ask(pair.netns_a, {}, first, one.port())) ==
        "one " + primary(pair.a, family).to_string());
}

void check_within(const NetNs& netns, const PoolInfo& info, Family family) {
  const TokenServer server(netns, "home");
  for (std::uint64_t i = 0; i < info.capacity; ++i) {
    const IpAddress from = endpoint(info, family, i);
    const IpAddress to = endpoint(info, family, info.capacity - 1 - i);
    CHECK(must(ask(netns, from, to, server.port())) == "home " + from.to_string());
  }
}

/// What the underlay carried: this tenant's unicast between the two pools, and nothing else.
void check_wire(const std::vector<VxlanPacket>& packets, const Pair& pair, std::uint32_t vni) {
  std::set<IpAddress> seen_a;
  std::set<IpAddress> seen_b;
  for (const VxlanPacket& packet : packets) {
    CAPTURE(packet.to_string());
    const bool forth = packet.outer.ip_from == pair.a.vtep;
    const PoolInfo& from = forth ? pair.a : pair.b;
    const PoolInfo& to = forth ? pair.b : pair.a;
    CHECK(packet.vni == vni);
    CHECK(packet.outer.ip_from == from.vtep);
    CHECK(packet.outer.ip_to == to.vtep);
    CHECK(packet.inner.from == from.mac);
    CHECK(packet.inner.to == to.mac);
    CHECK_FALSE(packet.inner.is_broadcast_or_multicast());
    CHECK(packet.inner.ether_type != ETH_P_ARP);
    CHECK(packet.inner.protocol == IPPROTO_TCP);
    if (packet.inner.ip_from) (forth ? seen_a : seen_b).insert(*packet.inner.ip_from);
  }
  CHECK(seen_a.size() == 2 * kEndpoints);
  CHECK(seen_b.size() == 2 * kEndpoints);
}

void check_two_nodes(AddressMode mode, Attachment attach_a = Attachment::veth,
                     Attachment attach_b = Attachment::veth) {
  const Scene scene;
  Capture capture(scene.nodes.a, scene.nodes.underlay_a);
  PoolSpec on_a = dual_spec("p", 7001, mode, true);
  PoolSpec on_b = dual_spec("p", 7001, mode, false);
  on_a.attachment = attach_a;
  on_b.attachment = attach_b;
  const Pair pair = connect_pools(scene, on_a, on_b);
  for (const Family family : kFamilies) {
    check_every_pair(pair, family);
    check_servers_on_endpoints(pair, family);
    check_within(pair.netns_a, pair.a, family);
  }
  check_wire(capture.finish(), pair, 7001);
}

}  // namespace

TEST_CASE("pool traffic, secondary: every endpoint reaches its opposite over VXLAN") {
  if (!need_namespaces()) return;
  check_two_nodes(AddressMode::secondary);
}

TEST_CASE("pool traffic, anyip: every endpoint reaches its opposite over VXLAN") {
  if (!need_namespaces()) return;
  check_two_nodes(AddressMode::anyip);
}

TEST_CASE("pool traffic, direct: every endpoint reaches its opposite over VXLAN") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    check_two_nodes(mode, Attachment::direct, Attachment::direct);
  }
}

TEST_CASE("pool traffic: attachments may differ between nodes") {
  if (!need_namespaces()) return;
  check_two_nodes(AddressMode::secondary, Attachment::direct, Attachment::veth);
  check_two_nodes(AddressMode::anyip, Attachment::veth, Attachment::direct);
}

TEST_CASE("pool traffic: ranges of one subnet on two nodes reach each other") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    // Beginnings that are, and are not, where a prefix begins.
    PoolSpec on_a =
        pool_spec("p", "acme", 7002,
                  {"10.1.0.0/24 10.1.0.16-10.1.0.31", "fd00:1::/64 fd00:1::10-fd00:1::1f"});
    PoolSpec on_b =
        pool_spec("p", "acme", 7002,
                  {"10.1.0.0/24 10.1.0.33-10.1.0.48", "fd00:1::/64 fd00:1::21-fd00:1::30"});
    on_a.mode = mode;
    on_b.mode = mode;
    const Pair pair = connect_pools(scene, on_a, on_b);
    for (const Family family : kFamilies) {
      check_every_pair(pair, family);
      check_within(pair.netns_b, pair.b, family);
    }
  }
}

TEST_CASE("pool traffic: modes may differ between nodes") {
  if (!need_namespaces()) return;
  const Scene scene;
  const Pair pair = connect_pools(scene, dual_spec("p", 7003, AddressMode::secondary, true),
                                  dual_spec("p", 7003, AddressMode::anyip, false));
  for (const Family family : kFamilies) check_every_pair(pair, family);
}

TEST_CASE("pool traffic: an IPv6 underlay carries both families") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec on_a = dual_spec("p", 7004, AddressMode::anyip, true);
  PoolSpec on_b = dual_spec("p", 7004, AddressMode::secondary, false);
  on_a.underlay.address = ip("2001:db8::1");
  on_b.underlay.address = ip("2001:db8::2");
  const Pair pair = connect_pools(scene, on_a, on_b);
  CHECK(pair.a.vtep == ip("2001:db8::1"));
  for (const Family family : kFamilies) check_every_pair(pair, family);
}

TEST_CASE("pool traffic: an underlay given by its device carries both families") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec on_a = dual_spec("p", 7005, AddressMode::anyip, true);
  PoolSpec on_b = dual_spec("p", 7005, AddressMode::secondary, false);
  on_a.underlay.device = kUnderlayDevice;
  on_b.underlay.device = kUnderlayDevice;
  const Pair pair = connect_pools(scene, on_a, on_b);
  CHECK(pair.a.underlay_device == kUnderlayDevice);
  for (const Family family : kFamilies) check_every_pair(pair, family);
}

TEST_CASE("pool traffic: tenants with one subnet do not hear each other") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    const std::array tenants{"red", "blue"};
    std::vector<PoolInfo> on_a;
    std::vector<PoolInfo> on_b;
    for (std::size_t i = 0; i < tenants.size(); ++i) {
      PoolSpec spec =
          pool_spec(tenants[i], tenants[i], 7010 + i,
                    {"10.9.1.0/24 10.9.1.1-10.9.1.4", "fd00:9::/64 fd00:9::1-fd00:9::4"});
      spec.mode = mode;
      on_a.push_back(make_pool(scene.a, spec));
      spec.blocks = {block("10.9.1.0/24 10.9.1.129-10.9.1.132"),
                     block("fd00:9::/64 fd00:9::81-fd00:9::84")};
      on_b.push_back(make_pool(scene.b, spec));
      must(scene.a.add_peer(as_peer(on_b.back())));
      must(scene.b.add_peer(as_peer(on_a.back())));
    }
    const NetNs red = must(scene.a.open_pool_netns("red"));
    const NetNs blue = must(scene.a.open_pool_netns("blue"));
    const TokenServer red_here(red, "red here");
    const TokenServer blue_here(blue, "blue here");
    const TokenServer red_there(must(scene.b.open_pool_netns("red")), "red there");
    const TokenServer blue_there(must(scene.b.open_pool_netns("blue")), "blue there");
    for (const Family family : kFamilies) {
      const IpAddress from = endpoint(on_a[0], family, 1);
      const IpAddress here = endpoint(on_a[0], family, 2);
      const IpAddress there = endpoint(on_b[0], family, 2);
      const std::string seen = " " + from.to_string();
      CHECK(must(ask(red, from, here, red_here.port())) == "red here" + seen);
      CHECK(must(ask(blue, from, here, blue_here.port())) == "blue here" + seen);
      CHECK(must(ask(red, from, there, red_there.port())) == "red there" + seen);
      CHECK(must(ask(blue, from, there, blue_there.port())) == "blue there" + seen);
      CHECK_FALSE(ask(red, from, here, blue_here.port(), kSilence));
      CHECK_FALSE(ask(red, from, there, blue_there.port(), kSilence));
    }
  }
}

TEST_CASE("pool traffic: one tenant's addresses are out of another's and the node's reach") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    PoolSpec red_spec = pool_spec("red", "red", 7020, {"10.9.1.0/24", "fd00:9:1::/64"});
    PoolSpec blue_spec = pool_spec("blue", "blue", 7021, {"10.9.2.0/24", "fd00:9:2::/64"});
    for (PoolSpec* spec : {&red_spec, &blue_spec}) {
      spec->mode = mode;
      spec->count = 4;
    }
    const PoolInfo red_pool = make_pool(scene.a, red_spec);
    const PoolInfo blue_pool = make_pool(scene.a, blue_spec);
    const NetNs red = must(scene.a.open_pool_netns("red"));
    const NetNs blue = must(scene.a.open_pool_netns("blue"));
    // As on any node, the way out is a default route.
    run_ok({"ip", "route", "add", "default", "via", "192.0.2.2"}, scene.nodes.a);
    run_ok({"ip", "-6", "route", "add", "default", "via", "2001:db8::2"}, scene.nodes.a);
    const TokenServer server(blue, "blue");
    const TokenServer on_node(scene.nodes.a, "node");
    for (const Family family : kFamilies) {
      const IpAddress target = endpoint(blue_pool, family, 1);
      const IpAddress underlay = ip(family == Family::v4 ? "192.0.2.1" : "2001:db8::1");
      REQUIRE(ask(blue, {}, target, server.port()));
      REQUIRE(ask(scene.nodes.b, {}, underlay, on_node.port()));
      CHECK_FALSE(ask(red, {}, target, server.port(), kSilence));
      CHECK_FALSE(ask(red, endpoint(red_pool, family, 1), target, server.port(), kSilence));
      CHECK_FALSE(ask(scene.nodes.a, {}, target, server.port(), kSilence));
      CHECK_FALSE(ask(scene.nodes.b, {}, target, server.port(), kSilence));
      CHECK_FALSE(ask(red, {}, underlay, on_node.port(), kSilence));
      CHECK_FALSE(ask(red, endpoint(red_pool, family, 1), underlay, on_node.port(), kSilence));
    }
  }
}

TEST_CASE("pool traffic: a peer that is removed is no longer reached") {
  if (!need_namespaces()) return;
  const Scene scene;
  const Pair pair = connect_pools(scene, dual_spec("p", 7030, AddressMode::anyip, true),
                                  dual_spec("p", 7030, AddressMode::anyip, false));
  const TokenServer server(pair.netns_b, "b");
  const IpAddress to = endpoint(pair.b, Family::v4, 1);
  REQUIRE(ask(pair.netns_a, {}, to, server.port()));
  must(scene.a.remove_peer("acme", pair.b.vtep));
  CHECK_FALSE(ask(pair.netns_a, {}, to, server.port(), kSilence));
  must(scene.a.add_peer(as_peer(pair.b)));
  CHECK(ask(pair.netns_a, {}, to, server.port()));
}

}  // namespace particle::test
