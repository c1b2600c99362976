// SPDX-License-Identifier: Apache-2.0
// Attachment direct: the tenant's vxlan device is the pool's own. What it shares with attachment veth is
// tested beside that: traffic, MTU, and every step at which a process can be killed.
#include <doctest/doctest.h>

#include <fstream>

#include "pool_crash_support.hpp"
#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

PoolSpec direct_spec(const std::string& name, std::uint64_t vni, const char* prefix4,
                     const char* prefix6) {
  PoolSpec spec = pool_spec(name, "acme", vni, {prefix4, prefix6});
  spec.count = 4;
  spec.attachment = Attachment::direct;
  return spec;
}

/// A direct pool on each of two nodes that know each other.
struct Talking {
  Scene scene;
  PoolSpec spec = direct_spec("p", 7871, "10.1.1.0/24", "fd00:1:1::/64");
  PoolInfo info = make_pool(scene.a, spec);
  PoolInfo far = make_pool(scene.b, direct_spec("p", 7871, "10.1.2.0/24", "fd00:1:2::/64"));

  Talking() {
    must(scene.a.add_peer(as_peer(far)));
    must(scene.b.add_peer(as_peer(info)));
  }
  void check_talks() const {
    const NetNs near = must(scene.a.open_pool_netns("p"));
    const TokenServer server(must(scene.b.open_pool_netns("p")), "far");
    for (const Family family : kFamilies) {
      const IpAddress from = endpoint(info, family, 2);
      const auto answer = ask(near, from, endpoint(far, family, 3), server.port());
      CHECK(answer.value_or(answer ? "" : answer.error().message()) == "far " + from.to_string());
    }
  }
};

struct Damage {
  const char* name;
  std::vector<std::string> command;
};

const std::vector<Damage> kDamages{
    {"eth0 down", {"ip", "link", "set", "eth0", "down"}},
    {"lo down", {"ip", "link", "set", "lo", "down"}},
    {"addresses gone", {"ip", "addr", "flush", "dev", "eth0"}},
    {"eth0 gone", {"ip", "link", "del", "eth0"}},
    {"other MAC", {"ip", "link", "set", "eth0", "address", "02:00:00:00:00:99"}},
    {"other MTU", {"ip", "link", "set", "eth0", "mtu", "1300"}},
    {"neighbours gone", {"ip", "neigh", "flush", "all", "nud", "permanent"}},
};

Error refused(const Node& node, const PoolSpec& spec) {
  const auto made = node.create_pool(spec);
  REQUIRE_FALSE(made);
  return made.error();
}

bool knows(const Error& error, const std::string& word) {
  return error.message().find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("pool direct: one vxlan device, no bridge, no veth and no VTEP namespace") {
  if (!need_namespaces()) return;
  const Talking talking;
  const PoolInfo& info = talking.info;
  CHECK(info.attachment == Attachment::direct);
  CHECK(info.bridge.empty());
  CHECK(info.port.empty());
  CHECK(info.vxlan == "eth0");
  CHECK(info.vtep_path == info.netns_path);
  const NetNs netns = must(talking.scene.a.open_pool_netns("p"));
  CHECK(must(must(talking.scene.a.open_vtep_netns("acme")).inode()) == info.netns_inode);
  const auto links = as_json({"ip", "-j", "-d", "link"}, netns);
  REQUIRE(links.size() == 2);
  CHECK(links[1]["ifname"] == "eth0");
  CHECK(links[1]["linkinfo"]["info_kind"] == "vxlan");
  CHECK(links[1]["linkinfo"]["info_data"]["id"] == 7871);
  CHECK(links[1]["linkinfo"]["info_data"]["learning"] == false);
  CHECK(links[1]["address"] == info.mac.to_string());
  CHECK(list_files(talking.scene.dir.path(), false).find("vtep") == std::string::npos);
  talking.check_talks();
}

TEST_CASE("pool direct: each damage is seen and mended") {
  if (!need_namespaces()) return;
  for (const Damage& damage : kDamages) {
    CAPTURE(damage.name);
    const Talking talking;
    run_ok(damage.command, must(talking.scene.a.open_pool_netns("p")));
    CHECK(must(talking.scene.a.inspect_pool("p")).health == PoolHealth::damaged);
    CHECK(must(talking.scene.a.create_pool(talking.spec)).outcome.changed);
    const PoolInfo mended = must(talking.scene.a.inspect_pool("p"));
    CHECK(mended.problems == std::vector<std::string>{});
    talking.check_talks();
  }
}

TEST_CASE("pool direct: gc mends a forwarding entry, and the same peer again does") {
  if (!need_namespaces()) return;
  const Talking talking;
  const NetNs netns = must(talking.scene.a.open_pool_netns("p"));
  const std::vector<std::string> forget{"bridge",   "fdb",  "del",  talking.far.mac.to_string(),
                                        "dev",      "eth0", "self", "dst",
                                        "192.0.2.2"};
  run_ok(forget, netns);
  const auto peers = must(talking.scene.a.list_peers("acme"));
  REQUIRE(peers.size() == 1);
  CHECK_FALSE(peers.front().programmed);
  CHECK(must(talking.scene.a.add_peer(as_peer(talking.far))).changed);
  talking.check_talks();
  run_ok(forget, netns);
  CHECK(must(talking.scene.a.collect_garbage()).size() == 1);
  talking.check_talks();
  must(talking.scene.a.remove_peer("acme", ip("192.0.2.2")));
  CHECK(as_json({"bridge", "-j", "fdb", "show", "dev", "eth0"}, netns).empty());
}

TEST_CASE("pool direct: a tenant has room for one on a node, and the error says so") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, direct_spec("p", 7872, "10.1.1.0/24", "fd00:1:1::/64"));
  for (const Attachment attachment : {Attachment::direct, Attachment::veth}) {
    PoolSpec second = direct_spec("q", 7872, "10.1.2.0/24", "fd00:1:2::/64");
    second.attachment = attachment;
    const Error error = refused(scene.a, second);
    CHECK(error.kind() == Errc::conflict);
    CHECK(knows(error, "pool p with attachment direct"));
  }
  PoolSpec other = direct_spec("p", 7872, "10.1.1.0/24", "fd00:1:1::/64");
  other.attachment = Attachment::veth;
  CHECK(knows(refused(scene.a, other), "asked for veth"));
  must(scene.a.delete_pool("p"));
  make_pool(scene.a, other);
  PoolSpec beside = direct_spec("q", 7872, "10.1.2.0/24", "fd00:1:2::/64");
  CHECK(knows(refused(scene.a, beside), "attachment direct needs"));
}

TEST_CASE("pool direct: it goes with isolation tenant only") {
  PoolSpec spec = direct_spec("p", 7873, "10.1.1.0/24", "fd00:1:1::/64");
  CHECK(check(spec).empty());
  for (const Isolation isolation : {Isolation::job, Isolation::container}) {
    spec.isolation = isolation;
    REQUIRE(check(spec).size() == 1);
    CHECK(check(spec).front().message().find("direct") != std::string::npos);
  }
}

TEST_CASE("pool direct: deleted under a running process, its VNI is free at once") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  const PoolSpec spec = direct_spec("p", world.vni, "10.1.1.0/24", "fd00:1:1::/64");
  must(world.node.create_pool(spec));
  const NetNs held = must(world.node.open_pool_netns("p"));
  const Command process({"sleep", "60"}, &held);
  must(world.node.delete_pool("p", true));
  CHECK(run_command({"ip", "link", "show", "eth0"}, &held).exit_code != 0);
  must(world.node.create_pool(spec));
  world.check_clean_after_delete_all();
}

TEST_CASE("pool direct: a node whose namespace is gone is removed, one that lives is kept") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const Node gc = open_node(nodes.b, dir.path());
  {
    const TwoNodes dying = make_two_nodes();
    const Node node = open_node(dying.a, dir.path());
    must(node.create_pool(direct_spec("p", 7874, "10.1.1.0/24", "fd00:1:1::/64")));
    CHECK(must(gc.collect_garbage()).empty());
    CHECK(must(node.inspect_pool("p")).health == PoolHealth::ready);
  }
  std::vector<GcFinding> found;
  for (int i = 0; i < 200 && found.empty(); ++i) {
    found = must(gc.collect_garbage());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  REQUIRE(found.size() == 1);
  CHECK(found.front().action == GcAction::removed);
  CHECK(list_files(dir.path(), false) == "");
}

TEST_CASE(
    "pool direct: a container without CAP_NET_ADMIN can change nothing, and hears no other "
    "tenant") {
  if (!need_namespaces()) return;
  const Talking talking;
  PoolSpec blue = direct_spec("blue", 7875, "10.1.1.0/24", "fd00:1:1::/64");
  blue.tenant = "blue";
  make_pool(talking.scene.a, blue);
  const NetNs netns = must(talking.scene.a.open_pool_netns("p"));
  const std::string before = describe_netns(netns);
  for (const char* attempt :
       {"ip link set eth0 down", "ip link del eth0", "ip addr add 10.1.9.9/32 dev eth0",
        "ip route add 10.9.0.0/16 dev eth0",
        "ip neigh replace 10.1.2.1 lladdr 02:00:00:00:00:aa dev eth0",
        "bridge fdb add 02:00:00:00:00:aa dev eth0 dst 192.0.2.2 self",
        "ip link add vx9 type vxlan id 9 dstport 4789", "nft add table inet mine"}) {
    CAPTURE(attempt);
    const auto done = run_command(
        {"setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "sh", "-c", attempt},
        &netns);
    CHECK(done.exit_code != 0);
  }
  CHECK(describe_netns(netns) == before);
  // The other tenant has the same addresses, and a listener on one of them that nobody else reaches.
  const TokenServer server(must(talking.scene.a.open_pool_netns("blue")), "blue");
  const NetNs far = must(talking.scene.b.open_pool_netns("p"));
  CHECK_FALSE(ask(far, {}, endpoint(talking.info, Family::v4, 1), server.port(), kSilence));
}

TEST_CASE("pool direct: leases, resizes and their limits are those of any pool") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec spec = direct_spec("p", 7876, "10.1.1.0/24", "fd00:1:1::/64");
  spec.cooldown = std::chrono::milliseconds(0);
  make_pool(scene.a, spec);
  CHECK(must(scene.a.lease(wish("p", "c1", 4))).size() == 4);
  CHECK_FALSE(scene.a.lease(wish("p", "c2")));
  ResizeSpec larger;
  larger.count = 6;
  must(scene.a.resize_pool("p", larger));
  CHECK(must(scene.a.inspect_pool("p")).problems.empty());
  CHECK(must(scene.a.lease(wish("p", "c2", 2))).size() == 2);
  ResizeSpec smaller;
  smaller.count = 3;
  CHECK(scene.a.resize_pool("p", smaller).error().kind() == Errc::busy);
  CHECK(scene.a.delete_pool("p").error().kind() == Errc::busy);
  must(scene.a.release("p", "c1"));
  must(scene.a.release("p", "c2"));
  must(scene.a.resize_pool("p", smaller));
  CHECK(must(scene.a.inspect_pool("p")).health == PoolHealth::ready);
  must(scene.a.delete_pool("p"));
}

}  // namespace particle::test
