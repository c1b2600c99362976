// SPDX-License-Identifier: Apache-2.0
// All peers of one owner in one change: exactly those, nobody else's, and nothing that stays is touched.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

Peer peer_of(unsigned number, const char* vtep = "192.0.2.2") {
  const std::string n = std::to_string(number);
  return {"acme", ip(vtep), Mac::derive("peer " + n), {net("10.2." + n + ".0/24")}};
}

PoolSpec spec_of(const std::string& name, const char* prefix) {
  PoolSpec spec = pool_spec(name, "acme", 7611, {prefix});
  spec.underlay.device = kUnderlayDevice;
  return spec;
}

struct LocalSet {
  Scene scene;
  PoolInfo info = make_pool(scene.a, spec_of("p", "10.1.1.0/24"));
  NetNs pool = must(scene.a.open_pool_netns("p"));
  NetNs vtep = must(scene.a.open_vtep_netns("acme"));

  [[nodiscard]] std::string entries() const {
    std::string text;
    for (const auto& argv :
         std::vector<std::vector<std::string>>{{"ip", "-4", "route"}, {"ip", "neigh"}})
      text += run_command(argv, &pool).out;
    return text + run_command({"bridge", "fdb"}, &vtep).out;
  }
  [[nodiscard]] std::vector<Peer> peers() const {
    std::vector<Peer> out;
    for (auto& entry : must(scene.a.list_peers("acme"))) {
      CHECK(entry.programmed);
      out.push_back(std::move(entry.peer));
    }
    return out;
  }
};

std::vector<Peer> owned(std::vector<Peer> peers, const std::string& owner) {
  for (Peer& peer : peers) peer.owner = owner;
  return peers;
}

}  // namespace

TEST_CASE("peer set: exactly the owner's peers, and again without a change") {
  if (!need_namespaces()) return;
  const LocalSet local;
  const Node& node = local.scene.a;
  const std::string before = local.entries();
  const std::vector<Peer> set{peer_of(1), peer_of(2, "192.0.2.3"), peer_of(3)};
  CHECK(must(node.replace_peers("acme", "tester", set)).changed);
  CHECK(local.peers() == owned(set, "tester"));
  const std::string with = local.entries();
  CHECK_FALSE(must(node.replace_peers("acme", "tester", set)).changed);
  CHECK(local.entries() == with);

  const std::vector<Peer> other{peer_of(2, "192.0.2.3"), peer_of(4)};
  CHECK(must(node.replace_peers("acme", "tester", other)).changed);
  CHECK(local.peers() == owned(other, "tester"));
  CHECK(must(node.replace_peers("acme", "tester", {})).changed);
  CHECK(local.peers().empty());
  CHECK(local.entries() == before);
  CHECK_FALSE(must(node.replace_peers("acme", "tester", {})).changed);
}

TEST_CASE("peer set: peers of other owners, and entries of strangers, stay") {
  if (!need_namespaces()) return;
  const LocalSet local;
  const Node& node = local.scene.a;
  must(node.add_peer(peer_of(9)));
  must(node.replace_peers("acme", "other", {peer_of(8)}));
  run_ok({"ip", "route", "add", "10.66.0.0/16", "via", "10.2.1.77", "dev", "eth0", "onlink"},
         local.pool);
  run_ok({"bridge", "fdb", "append", "02:00:00:00:00:77", "dev", local.info.vxlan, "dst",
          "192.0.2.77", "self"},
         local.vtep);
  const std::string before = local.entries();
  must(node.replace_peers("acme", "tester", {peer_of(1), peer_of(2)}));
  must(node.replace_peers("acme", "tester", {}));
  CHECK(local.entries() == before);
  CHECK(local.peers().size() == 2);
  // And by hand nobody takes a peer that an owner keeps.
  Peer stolen = peer_of(8);
  stolen.prefixes = {net("10.2.8.0/25")};
  const auto by_hand = node.add_peer(stolen);
  REQUIRE_FALSE(by_hand);
  CHECK(by_hand.error().kind() == Errc::conflict);
  CHECK(by_hand.error().message().find("other") != std::string::npos);
}

TEST_CASE("peer set: what contradicts is refused whole, and changes nothing") {
  if (!need_namespaces()) return;
  const LocalSet local;
  const Node& node = local.scene.a;
  must(node.add_peer(peer_of(9)));
  must(node.replace_peers("acme", "tester", {peer_of(1)}));
  const std::string before = local.entries();
  Peer of_another_tenant = peer_of(2);
  of_another_tenant.tenant = "other";
  Peer overlapping = peer_of(2);
  overlapping.prefixes = {net("10.2.0.0/16")};
  Peer over_pool = peer_of(2);
  over_pool.prefixes = {net("10.1.0.0/16")};
  Peer same_mac = peer_of(2);
  same_mac.mac = peer_of(9).mac;
  Peer within = peer_of(2);
  within.prefixes = {net("10.2.9.128/25")};
  struct Wrong {
    std::vector<Peer> peers;
    Errc kind;
  };
  for (const Wrong& wrong :
       {Wrong{{of_another_tenant}, Errc::invalid_argument},
        Wrong{{peer_of(1), overlapping}, Errc::conflict}, Wrong{{over_pool}, Errc::conflict},
        Wrong{{same_mac}, Errc::conflict}, Wrong{{within}, Errc::conflict},
        Wrong{{peer_of(2), peer_of(2)}, Errc::conflict},
        Wrong{{peer_of(2, "192.0.2.1")}, Errc::conflict},
        Wrong{{peer_of(2, "2001:db8::9")}, Errc::conflict}}) {
    const auto refused = node.replace_peers("acme", "tester", wrong.peers);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == wrong.kind);
    CHECK(local.entries() == before);
  }
  CHECK(node.replace_peers("nobody", "tester", {}).error().kind() == Errc::not_found);
  CHECK(node.replace_peers("acme", "", {}).error().kind() == Errc::invalid_argument);
}

TEST_CASE("peer set: a peer that stays carries traffic while a thousand others come and go") {
  if (!need_namespaces()) return;
  const Scene scene;
  const PoolInfo a = make_pool(scene.a, spec_of("a", "10.1.1.0/24"));
  const PoolInfo b = make_pool(scene.b, spec_of("b", "10.1.2.0/24"));
  must(scene.b.add_peer(as_peer(a)));
  must(scene.a.replace_peers("acme", "tester", {as_peer(b)}));
  const NetNs from = must(scene.a.open_pool_netns("a"));
  const NetNs to = must(scene.b.open_pool_netns("b"));
  const IpAddress server = endpoint(b, Family::v4, 1);
  const TokenServer token(to, "b", {server});

  std::vector<Peer> many{as_peer(b)};
  for (unsigned i = 0; i < 1000; ++i) {
    many.push_back(
        {"acme",
         ip("192.0.2.3"),
         Mac::derive("many " + std::to_string(i)),
         {IpPrefix::containing(must(ip("10.64.0.0").plus(std::uint64_t{i} * 256)), 24)}});
  }
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  std::atomic<int> answers{0};
  std::thread client([&] {
    while (!stop) (ask(from, {}, server, token.port()) ? answers : failures)++;
  });
  for (int round = 0; round < 3; ++round) {
    must(scene.a.replace_peers("acme", "tester", many));
    must(scene.a.replace_peers("acme", "tester", {as_peer(b)}));
  }
  stop = true;
  client.join();
  CHECK(failures == 0);
  CHECK(answers > 10);
}

TEST_CASE("peer set: a peer with another underlay address is replaced in place") {
  if (!need_namespaces()) return;
  const LocalSet local;
  const Node& node = local.scene.a;
  must(node.replace_peers("acme", "tester", {peer_of(1)}));
  const Outcome outcome = must(node.replace_peers("acme", "tester", {peer_of(1, "192.0.2.9")}));
  for (const StepTime& step : outcome.steps) CHECK(step.name.find("remove") == std::string::npos);
  CHECK(local.peers() == owned({peer_of(1, "192.0.2.9")}, "tester"));
  const std::string fdb =
      run_command({"bridge", "fdb", "show", "dev", local.info.vxlan}, &local.vtep).out;
  CHECK(fdb.find("192.0.2.9") != std::string::npos);
  CHECK(fdb.find("192.0.2.2") == std::string::npos);
}

TEST_CASE("peer set: cut off after any step, the same call or gc completes it") {
  if (!need_namespaces()) return;
  const LocalSet local;
  const Node& node = local.scene.a;
  const std::vector<Peer> before{peer_of(1), peer_of(2)};
  const std::vector<Peer> after{peer_of(2), peer_of(3)};
  for (std::size_t cut = 1;; ++cut) {
    must(node.replace_peers("acme", "tester", before));
    std::stop_source stop;
    ApplyOptions options;
    options.stop = stop.get_token();
    options.after_step = [&](std::size_t done, std::size_t, const Step&) {
      if (done == cut) stop.request_stop();
    };
    const auto outcome = node.replace_peers("acme", "tester", after, options);
    if (outcome) break;
    CHECK(outcome.error().kind() == Errc::interrupted);
    CHECK(local.peers() == owned(before, "tester"));
    REQUIRE(cut < 20);
  }
  CHECK(local.peers() == owned(after, "tester"));
}

TEST_CASE("peer set: what the kernel lost is restored") {
  if (!need_namespaces()) return;
  const LocalSet local;
  const Node& node = local.scene.a;
  must(node.replace_peers("acme", "tester", {peer_of(1), peer_of(2)}));
  const std::string whole = local.entries();
  run_ok({"ip", "route", "del", "10.2.1.0/24"}, local.pool);
  run_ok({"ip", "neigh", "del", "10.2.2.1", "dev", "eth0"}, local.pool);
  run_ok({"bridge", "fdb", "del", peer_of(2).mac.to_string(), "dev", local.info.vxlan, "dst",
          "192.0.2.2", "self"},
         local.vtep);
  CHECK(must(node.replace_peers("acme", "tester", {peer_of(1), peer_of(2)})).changed);
  CHECK(local.peers().size() == 2);
  CHECK(local.entries().size() == whole.size());
}

}  // namespace particle::test
