// SPDX-License-Identifier: Apache-2.0
// Nodes that die, return, return as others, or lie; and what is none of the overlay's business.
#include <doctest/doctest.h>

#include <chrono>

#include "netns/pool_scene.hpp"
#include "overlay/etcd_cluster.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kLease = std::chrono::seconds(EtcdCluster::kLeaseSeconds);

std::size_t peers_of(const EtcdCluster& cluster, std::size_t node) {
  return must(cluster.node(node).list_peers("acme")).size();
}

/// As an administrator, or a thief, would write it.
void put_announcement(EtcdServer& etcd, const std::string& node, const std::string& pool,
                      const std::string& vtep, const std::string& mac, const std::string& prefix,
                      std::uint64_t vni = EtcdCluster::kVni, const std::string& tenant = "acme") {
  etcd.ctl({"put", "/particle/default/pools/" + node + "/" + pool,
            R"({"node": ")" + node + R"(", "pool": ")" + pool + R"(", "tenant": ")" + tenant +
                R"(", "vni": )" + std::to_string(vni) + R"(, "vtep": ")" + vtep + R"(", "mac": ")" +
                mac + R"(", "prefixes": [")" + prefix + R"("]})"});
}

}  // namespace

TEST_CASE("etcd: four nodes with agents find each other") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(4);
  cluster.etcd().start();
  cluster.start_agents();
  std::vector<PoolInfo> pools;
  for (std::size_t i = 0; i < 4; ++i) pools.push_back(cluster.make_pool(i));
  for (std::size_t a = 0; a < 4; ++a) {
    for (std::size_t b = a + 1; b < 4; ++b)
      CHECK(becomes([&] { return cluster.meet(a, pools[a], b, pools[b]); }));
  }
  // A constant number of entries for each remote node, whatever it has behind it.
  for (std::size_t i = 0; i < 4; ++i) CHECK(peers_of(cluster, i) == 3);
}

TEST_CASE("etcd: an agent that is killed and started again loses nothing") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  cluster.etcd().start();
  cluster.start_agents();
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  const PoolInfo gone = cluster.make_pool(0, "gone", {"10.1.50.0/24"});
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, b) && cluster.meet(0, gone, 1, b); }));
  cluster.kill_agent(0);
  must(cluster.node(0).delete_pool("gone"));
  const PoolInfo late = cluster.make_pool(1, "late", {"10.1.77.0/24"});
  CHECK(remains([&] { return cluster.meet(0, a, 1, b); }, 1s));
  cluster.start_agent(0);
  CHECK(becomes([&] { return cluster.meet(0, a, 1, late); }));
  CHECK(becomes([&] { return peers_of(cluster, 1) == 1; }, 2s));  // long before its lease is over
  CHECK(remains([&] { return cluster.meet(0, a, 1, b); }, 2 * kLease));
}

TEST_CASE("etcd: a node that dies is withdrawn when its lease ends, not before") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(3);
  cluster.etcd().start();
  cluster.start_agents();
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  const PoolInfo c = cluster.make_pool(2);
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, b) && cluster.meet(0, a, 2, c); }));
  cluster.kill_agent(2);
  CHECK(remains([&] { return cluster.reaches(0, a, 2, c); }, kLease / 2));
  // A single connection may fail on a busy machine; what counts is that the peer goes, too.
  CHECK(becomes([&] { return !cluster.reaches(0, a, 2, c, kSilence) && peers_of(cluster, 0) == 1; },
                3 * kLease));
  CHECK(cluster.meet(0, a, 1, b));
}

TEST_CASE("etcd: a node that comes back with another address and MAC is found there") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(3);
  cluster.etcd().start();
  cluster.start_agents();
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo before = cluster.make_pool(1);
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, before); }));
  // The machine is replaced by another one of the same name: other addresses, another id.
  cluster.kill_agent(1);
  must(cluster.node(1).delete_pool(before.name));
  cluster.kill_agent(2);
  const PoolInfo after = cluster.make_pool(2, before.name, {"10.1.1.0/24", "fd00:1:1::/64"});
  REQUIRE(after.vtep != before.vtep);
  cluster.start_agent(2, {}, EtcdCluster::name_of(1));
  CHECK(becomes([&] { return cluster.meet(0, a, 2, after); }));
  CHECK(peers_of(cluster, 0) == 1);
  // The same machine with another underlay address.
  must(cluster.node(2).delete_pool(after.name));
  run_ok({"ip", "addr", "add", "192.0.2.103/24", "dev", kUnderlayDevice}, cluster.netns(2));
  PoolSpec spec = pool_spec(after.name, "acme", EtcdCluster::kVni, {"10.1.1.0/24"});
  spec.underlay.address = ip("192.0.2.103");
  const PoolInfo moved = test::make_pool(cluster.node(2), spec);
  CHECK(becomes([&] { return cluster.meet(0, a, 2, moved); }));
  const auto peers = must(cluster.node(0).list_peers("acme"));
  REQUIRE(peers.size() == 1);
  CHECK(peers.front().peer.vtep == ip("192.0.2.103"));
}

TEST_CASE("etcd: the second node of one name is refused until the first one is gone") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(3);
  cluster.etcd().start();
  for (const std::size_t i : {0U, 1U}) cluster.start_agent(i);
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  const PoolInfo c = cluster.make_pool(2);
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, b); }));
  cluster.start_agent(2, {}, EtcdCluster::name_of(1));
  CHECK(cluster.agent(2).wait_for_text("node name n2 is registered by another machine, " +
                                       cluster.node(1).id()));
  CHECK(remains([&] { return cluster.meet(0, a, 1, b); }, 2 * kLease));
  CHECK_FALSE(cluster.reaches(0, a, 2, c, kSilence));
  CHECK(peers_of(cluster, 0) == 1);
  cluster.kill_agent(1);
  CHECK(becomes([&] { return cluster.meet(0, a, 2, c); }));
}

TEST_CASE("etcd: who announces another's addresses, MAC or VNI is refused and reported") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  cluster.etcd().start();
  cluster.start_agents();
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, b); }));
  EtcdServer& etcd = cluster.etcd();
  put_announcement(etcd, "thief", "block", "192.0.2.66", "02:00:00:00:00:66", "10.1.0.0/16");
  put_announcement(etcd, "thief", "mac", "192.0.2.66", b.mac.to_string(), "10.9.0.0/24");
  put_announcement(etcd, "thief", "vni", "192.0.2.66", "02:00:00:00:00:67", "10.8.0.0/24",
                   EtcdCluster::kVni, "other");
  etcd.ctl({"put", "/particle/default/pools/thief/junk", "{\"tenant\": 7}"});
  Command& agent = cluster.agent(0);
  CHECK(agent.wait_for_text("refused pool block of tenant acme on node thief"));
  CHECK(agent.wait_for_text("refused pool mac of tenant acme on node thief"));
  CHECK(agent.wait_for_text("which is that of tenant acme, not other"));
  CHECK(agent.wait_for_text("pools/thief/junk"));
  CHECK(remains([&] { return cluster.meet(0, a, 1, b); }, 1s));
  CHECK(peers_of(cluster, 0) == 1);
  // Of a block that is allocated, even the first to announce it is refused.
  etcd.ctl({"put", "/particle/default/blocks/acme/10.7.0.0/24", R"({"node": "n9", "pool": "x"})"});
  put_announcement(etcd, "early", "p", "192.0.2.67", "02:00:00:00:00:68", "10.7.0.0/25");
  CHECK(agent.wait_for_text("10.7.0.0/24, which is allocated to node n9: refused"));
  CHECK(peers_of(cluster, 0) == 1);
  // It is not for ever: once it is honest, it is entered.
  put_announcement(etcd, "thief", "block", "192.0.2.66", "02:00:00:00:00:66", "10.6.0.0/24");
  CHECK(becomes([&] { return peers_of(cluster, 0) == 2; }));
}

TEST_CASE("etcd: forwarding entries and routes that others made are left alone") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  cluster.etcd().start();
  cluster.start_agents();
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  const NetNs vtep = must(cluster.node(0).open_vtep_netns("acme"));
  const NetNs pool = must(cluster.node(0).open_pool_netns(a.name));
  run_ok({"bridge", "fdb", "add", "02:00:00:00:00:99", "dev", a.vxlan, "dst", "192.0.2.99", "self"},
         vtep);
  run_ok({"ip", "route", "add", "198.51.100.0/24", "via", "203.0.113.9", "dev", "eth0", "onlink"},
         pool);
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, b); }));
  must(cluster.node(1).delete_pool(b.name));
  CHECK(becomes([&] { return peers_of(cluster, 0) == 0; }));
  const auto fdb = run_command({"bridge", "fdb", "show", "dev", a.vxlan}, &vtep).out;
  CHECK(fdb.find("02:00:00:00:00:99 dst 192.0.2.99") != std::string::npos);
  CHECK(fdb.find(b.mac.to_string()) == std::string::npos);
  const auto routes = run_command({"ip", "route", "show"}, &pool).out;
  CHECK(routes.find("198.51.100.0/24") != std::string::npos);
  CHECK(routes.find("10.1.1.0/24") == std::string::npos);
}

TEST_CASE("etcd: a key that somebody deletes is written again") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  cluster.etcd().start();
  cluster.start_agents();
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, b); }));
  cluster.etcd().ctl({"del", "--prefix", "/particle/default/"});
  const auto here = [&] {
    return cluster.etcd().ctl({"get", "--prefix", "/particle/default/nodes/", "--keys-only"}) ==
               "/particle/default/nodes/n1\n\n/particle/default/nodes/n2\n\n" &&
           cluster.meet(0, a, 1, b);
  };
  CHECK(becomes(here));
  CHECK(remains(here, 2 * kLease));
}

}  // namespace particle::test
