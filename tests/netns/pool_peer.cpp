// SPDX-License-Identifier: Apache-2.0
// Peers: few entries each, exactly those, and nobody else's.
#include <doctest/doctest.h>

#include "pool_scene.hpp"

namespace particle::test {
namespace {

using nlohmann::json;

PoolSpec local_spec(const std::string& name = "p") {
  PoolSpec spec = pool_spec(name, "acme", 7601, {"10.1.1.0/24", "fd00:1:1::/64"});
  spec.mode = AddressMode::anyip;
  return spec;
}

Peer remote(const char* vtep, const char* mac, std::initializer_list<const char*> prefixes) {
  Peer peer{"acme", ip(vtep), must(Mac::parse(mac)), {}};
  for (const char* prefix : prefixes) peer.prefixes.push_back(net(prefix));
  return peer;
}

Peer usual() {
  return remote("192.0.2.2", "02:00:00:00:00:02", {"10.1.2.0/24", "fd00:1:2::/64"});
}

/// One node with one pool, and its two namespaces.
struct Local {
  Scene scene;
  PoolInfo info = make_pool(scene.a, local_spec());
  NetNs pool = must(scene.a.open_pool_netns("p"));
  NetNs vtep = must(scene.a.open_vtep_netns("acme"));

  [[nodiscard]] std::string text(const std::vector<std::string>& argv, const NetNs& netns) const {
    return run_command(argv, &netns).out;
  }
  /// Everything that a peer may touch.
  [[nodiscard]] std::string entries() const {
    return text({"ip", "-4", "route"}, pool) + text({"ip", "-6", "route"}, pool) +
           text({"ip", "neigh"}, pool) + text({"bridge", "fdb"}, vtep);
  }
  [[nodiscard]] PeerInfo only_peer() const {
    auto peers = must(scene.a.list_peers("acme"));
    REQUIRE(peers.size() == 1);
    return std::move(peers.front());
  }
};

void check_entries(const Local& local, const Peer& peer) {
  std::size_t entered = 0;
  for (const json& entry :
       as_json({"bridge", "-j", "fdb", "show", "dev", local.info.vxlan}, local.vtep)) {
    if (!entry.contains("dst")) continue;
    CHECK(entry["mac"] == peer.mac.to_string());
    CHECK(entry["dst"] == peer.vtep.to_string());
    CHECK(entry["state"] == "permanent");
    ++entered;
  }
  CHECK(entered == 1);
  std::set<std::string> hops;
  for (const json& entry : as_json({"ip", "-j", "neigh"}, local.pool)) {
    CHECK(entry["lladdr"] == peer.mac.to_string());
    CHECK(entry["state"] == json::array({"PERMANENT"}));
    hops.insert(entry["dst"]);
  }
  CHECK(hops == std::set<std::string>{"10.1.2.1", "fd00:1:2::1"});
  for (const IpPrefix& prefix : peer.prefixes) {
    const bool v4 = prefix.family() == Family::v4;
    const json routes =
        as_json({"ip", "-j", v4 ? "-4" : "-6", "route", "show", prefix.to_string()}, local.pool);
    REQUIRE(routes.size() == 1);
    CHECK(hops.contains(routes[0]["gateway"].get<std::string>()));
    CHECK(routes[0]["prefsrc"] == primary(local.info, prefix.family()).to_string());
  }
}

Errc refusal(const Node& node, const Peer& peer) {
  const auto result = node.add_peer(peer);
  REQUIRE_FALSE(result);
  CHECK(must(node.list_peers("acme")).size() <= 1);
  return result.error().kind();
}

}  // namespace

TEST_CASE("pool peer: one FDB entry, one neighbour per family and one route per prefix") {
  if (!need_namespaces()) return;
  const Local local;
  const std::string before = local.entries();
  Peer peer = usual();
  peer.prefixes.push_back(net("10.1.7.0/24"));
  CHECK(must(local.scene.a.add_peer(peer)).changed);
  check_entries(local, peer);
  const PeerInfo info = local.only_peer();
  CHECK(info.peer == peer);
  CHECK(info.programmed);
  CHECK(info.problems == std::vector<std::string>{});

  const std::string with = local.entries();
  const Outcome again = must(local.scene.a.add_peer(peer));
  CHECK_FALSE(again.changed);
  CHECK(local.entries() == with);

  CHECK(must(local.scene.a.remove_peer("acme", peer.vtep)).changed);
  CHECK(local.entries() == before);
  CHECK(must(local.scene.a.list_peers("acme")).empty());
  const auto twice = local.scene.a.remove_peer("acme", peer.vtep);
  REQUIRE_FALSE(twice);
  CHECK(twice.error().kind() == Errc::not_found);
}

TEST_CASE("pool peer: other prefixes replace the old ones") {
  if (!need_namespaces()) return;
  const Local local;
  must(local.scene.a.add_peer(usual()));
  Peer changed = usual();
  changed.prefixes = {net("10.1.2.0/25"), net("fd00:1:2::/64"), net("10.1.9.0/24")};
  CHECK(must(local.scene.a.add_peer(changed)).changed);
  check_entries(local, changed);
  CHECK(as_json({"ip", "-j", "route", "show", "10.1.2.0/24"}, local.pool).empty());
  CHECK(local.only_peer().programmed);
  CHECK(local.only_peer().peer == changed);
}

TEST_CASE("pool peer: known to pools that are made later, and gone with the last one") {
  if (!need_namespaces()) return;
  const Scene scene;
  const auto only_peer = [&] {
    const auto peers = must(scene.a.list_peers("acme"));
    REQUIRE(peers.size() == 1);
    return peers.front();
  };
  make_pool(scene.a, local_spec());
  must(scene.a.add_peer(usual()));
  PoolSpec later = pool_spec("later", "acme", 7601, {"10.1.4.0/24", "fd00:1:4::/64"});
  make_pool(scene.a, later);
  CHECK(only_peer().programmed);
  {
    // Let go before the last delete: a VTEP that somebody holds open keeps its VNI.
    const NetNs netns = must(scene.a.open_pool_netns("later"));
    CHECK(as_json({"ip", "-j", "route", "show", "10.1.2.0/24"}, netns).size() == 1);
    CHECK(as_json({"ip", "-j", "-6", "route", "show", "fd00:1:2::/64"}, netns).size() == 1);
  }
  must(scene.a.delete_pool("p"));
  CHECK(only_peer().programmed);
  must(scene.a.delete_pool("later"));
  make_pool(scene.a, local_spec());
  CHECK(must(scene.a.list_peers("acme")).empty());
}

TEST_CASE("pool peer: an entry that vanished is missed, and the same command restores it") {
  if (!need_namespaces()) return;
  const Local local;
  const Peer peer = usual();
  must(local.scene.a.add_peer(peer));
  struct Damage {
    std::vector<std::string> command;
    bool in_pool;
    const char* named;
  };
  const std::string mac = peer.mac.to_string();
  for (const Damage& damage :
       {Damage{{"ip", "neigh", "del", "10.1.2.1", "dev", "eth0"}, true, "192.0.2.2"},
        Damage{{"ip", "-6", "neigh", "del", "fd00:1:2::1", "dev", "eth0"}, true, "192.0.2.2"},
        Damage{{"ip", "route", "del", "10.1.2.0/24"}, true, "192.0.2.2"},
        Damage{{"ip", "-6", "route", "del", "fd00:1:2::/64"}, true, "192.0.2.2"},
        Damage{{"ip", "neigh", "replace", "10.1.2.1", "lladdr", "02:00:00:00:00:99", "dev", "eth0",
                "nud", "permanent"},
               true,
               "192.0.2.2"},
        Damage{{"bridge", "fdb", "del", mac, "dev", local.info.vxlan, "dst", "192.0.2.2", "self"},
               false,
               "FDB"}}) {
    CAPTURE(damage.command[0] + " " + damage.command[1] + " " + damage.command[2] + " " +
            damage.command[3]);
    run_ok(damage.command, damage.in_pool ? local.pool : local.vtep);
    const PeerInfo hurt = local.only_peer();
    CHECK_FALSE(hurt.programmed);
    CHECK(said(hurt.problems).find(damage.named) != std::string::npos);
    CHECK(must(local.scene.a.inspect_pool("p")).health == PoolHealth::damaged);
    CHECK(must(local.scene.a.add_peer(peer)).changed);
    CHECK(local.only_peer().programmed);
    CHECK(must(local.scene.a.inspect_pool("p")).health == PoolHealth::ready);
    check_entries(local, peer);
  }
}

TEST_CASE("pool peer: what contradicts the pools or other peers is refused") {
  if (!need_namespaces()) return;
  const Local local;
  must(local.scene.a.add_peer(usual()));
  const std::string before = local.entries();
  const Node& node = local.scene.a;
  const char* mac = "02:00:00:00:00:07";
  CHECK(refusal(node, remote("192.0.2.1", mac, {"10.1.3.0/24"})) == Errc::conflict);
  CHECK(refusal(node, remote("192.0.2.3", mac, {"10.1.1.128/25"})) == Errc::conflict);
  CHECK(refusal(node, remote("192.0.2.3", mac, {"10.1.0.0/16"})) == Errc::conflict);
  CHECK(refusal(node, remote("192.0.2.3", mac, {"10.1.2.128/25"})) == Errc::conflict);
  CHECK(refusal(node, remote("192.0.2.3", "02:00:00:00:00:02", {"10.1.3.0/24"})) == Errc::conflict);
  CHECK(refusal(node, remote("192.0.2.3", local.info.mac.to_string().c_str(), {"10.1.3.0/24"})) ==
        Errc::conflict);
  CHECK(refusal(node, remote("2001:db8::3", mac, {"10.1.3.0/24"})) == Errc::conflict);
  CHECK(refusal(node, remote("192.0.2.3", mac, {})) == Errc::invalid_argument);
  CHECK(refusal(node, remote("192.0.2.3", mac, {"0.0.0.0/0"})) == Errc::invalid_argument);
  Peer stranger = usual();
  stranger.tenant = "nobody";
  CHECK(refusal(node, stranger) == Errc::not_found);
  CHECK(local.entries() == before);
  // And the other way round: no pool over a peer's addresses.
  const auto over = node.create_pool(pool_spec("q", "acme", 7601, {"10.1.2.0/25"}));
  REQUIRE_FALSE(over);
  CHECK(over.error().kind() == Errc::conflict);
}

TEST_CASE("pool peer: entries that others made are left alone") {
  if (!need_namespaces()) return;
  const Local local;
  run_ok({"ip", "neigh", "add", "10.1.2.77", "lladdr", "02:00:00:00:00:77", "dev", "eth0", "nud",
          "permanent"},
         local.pool);
  run_ok({"ip", "route", "add", "10.66.0.0/16", "via", "10.1.2.77", "dev", "eth0", "onlink"},
         local.pool);
  run_ok({"ip", "route", "add", "10.1.2.0/26", "via", "10.1.2.77", "dev", "eth0", "onlink"},
         local.pool);
  run_ok({"bridge", "fdb", "append", "02:00:00:00:00:77", "dev", local.info.vxlan, "dst",
          "192.0.2.77", "self"},
         local.vtep);
  run_ok({"bridge", "fdb", "append", "02:00:00:00:00:78", "dev", local.info.vxlan, "dst",
          "192.0.2.2", "self"},
         local.vtep);
  const std::string before = local.entries();
  must(local.scene.a.add_peer(usual()));
  CHECK(local.only_peer().programmed);
  Peer changed = usual();
  changed.prefixes.push_back(net("10.1.9.0/24"));
  must(local.scene.a.add_peer(changed));
  must(local.scene.a.remove_peer("acme", changed.vtep));
  CHECK(local.entries() == before);
  CHECK(must(local.scene.a.collect_garbage()).empty());
  CHECK(must(local.scene.a.inspect_pool("p")).health == PoolHealth::ready);
  CHECK(local.entries() == before);
}

TEST_CASE("pool peer: two pools of one remote node are two peers of one VTEP") {
  if (!need_namespaces()) return;
  const Local local;
  const Peer first = usual();
  const Peer second = remote("192.0.2.2", "02:00:00:00:00:03", {"10.1.3.0/24", "fd00:1:3::/64"});
  must(local.scene.a.add_peer(first));
  must(local.scene.a.add_peer(second));
  const auto peers = must(local.scene.a.list_peers());
  CHECK(peers.size() == 2);
  for (const PeerInfo& info : peers) CHECK(info.programmed);
  must(local.scene.a.remove_peer("acme", first.vtep));
  CHECK(must(local.scene.a.list_peers()).empty());
  CHECK(as_json({"ip", "-j", "neigh"}, local.pool).empty());
}

}  // namespace particle::test
