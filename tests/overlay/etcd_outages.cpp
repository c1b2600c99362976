// SPDX-License-Identifier: Apache-2.0
// What packets do while etcd is gone, and after it has come back: as it was, without what it knew, or
// as it was before.
#include <doctest/doctest.h>

#include <chrono>

#include <nlohmann/json.hpp>

#include "netns/pool_scene.hpp"
#include "overlay/etcd_cluster.hpp"

namespace particle::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kLease = std::chrono::seconds(EtcdCluster::kLeaseSeconds);

/// Two nodes with agents whose pools reach each other.
struct Couple : EtcdCluster {
  PoolInfo a;
  PoolInfo b;
  explicit Couple(std::size_t nodes = 2) : EtcdCluster(nodes), a(make_pool(0)), b(make_pool(1)) {
    etcd().start();
    start_agents();
    REQUIRE(becomes([this] { return both_ways(); }));
  }
  [[nodiscard]] bool both_ways() const { return meet(0, a, 1, b); }
};

/// How many announcements etcd has.
std::size_t announcements(EtcdServer& etcd) {
  const auto json = nlohmann::json::parse(
      etcd.ctl({"get", "--prefix", "/particle/default/pools/", "--keys-only", "-w", "json"}));
  return json.contains("kvs") ? json["kvs"].size() : 0;
}

}  // namespace

TEST_CASE("etcd: what is up stays up while etcd is killed for longer than a lease") {
  if (!etcd_can_run()) return;
  Couple cluster;
  cluster.etcd().kill();
  CHECK(remains([&] { return cluster.both_ways(); }, kLease + 1s));
  CHECK(cluster.agent(0).wait_for_text("etcd is out of reach"));
  // A pool that is made meanwhile is told later.
  const PoolInfo late = cluster.make_pool(1, "late", {"10.1.77.0/24"});
  cluster.etcd().start();
  CHECK(remains([&] { return cluster.both_ways(); }, 2 * kLease));
  CHECK(becomes([&] { return cluster.meet(0, cluster.a, 1, late); }));
}

TEST_CASE("etcd: what is up stays up when etcd forgets every node during a partition") {
  if (!etcd_can_run()) return;
  Couple cluster;
  for (const std::size_t i : {0U, 1U}) cluster.cut_off(i, true);
  CHECK(remains([&] { return cluster.both_ways(); }, kLease));
  REQUIRE(becomes([&] { return announcements(cluster.etcd()) == 0; }));
  CHECK(cluster.both_ways());
  // One comes back long before the other, and finds nobody.
  cluster.cut_off(0, false);
  REQUIRE(becomes([&] { return announcements(cluster.etcd()) == 1; }));
  CHECK(remains([&] { return cluster.both_ways(); }, 500ms));
  cluster.cut_off(1, false);
  CHECK(remains([&] { return cluster.both_ways(); }, 2 * kLease));
  CHECK(announcements(cluster.etcd()) == 2);
}

TEST_CASE("etcd: an older snapshot neither takes what is up nor brings back what is gone") {
  if (!etcd_can_run()) return;
  Couple cluster(3);
  const PoolInfo gone = cluster.make_pool(1, "gone", {"10.1.50.0/24"});
  const PoolInfo there = cluster.make_pool(1, "moves", {"10.1.60.0/24"});
  REQUIRE(becomes(
      [&] { return cluster.meet(0, cluster.a, 1, gone) && cluster.meet(0, cluster.a, 1, there); }));
  cluster.etcd().save_snapshot();
  must(cluster.node(1).delete_pool("gone"));
  must(cluster.node(1).delete_pool("moves"));
  const PoolInfo here = cluster.make_pool(2, "moves", {"10.1.60.0/24"});
  const PoolInfo late = cluster.make_pool(1, "late", {"10.1.70.0/24"});
  const auto all_is_well = [&] {
    return cluster.both_ways() && cluster.meet(0, cluster.a, 1, late) &&
           cluster.meet(0, cluster.a, 2, here);
  };
  REQUIRE(becomes(
      [&] { return all_is_well() && must(cluster.node(0).list_peers("acme")).size() == 3; }));
  cluster.etcd().restore_snapshot();
  CHECK(remains(all_is_well, 3 * kLease));
  // `gone` was in the snapshot, and `moves` on the wrong node.
  CHECK(becomes([&] { return announcements(cluster.etcd()) == 4; }));
  CHECK(must(cluster.node(0).list_peers("acme")).size() == 3);
  CHECK(all_is_well());
}

TEST_CASE("etcd: an empty etcd is filled again by the nodes") {
  if (!etcd_can_run()) return;
  Couple cluster;
  cluster.etcd().kill();
  cluster.etcd().forget_everything();
  cluster.etcd().start();
  CHECK(remains([&] { return cluster.both_ways(); }, 2 * kLease));
  CHECK(becomes([&] { return announcements(cluster.etcd()) == 2; }));
}

TEST_CASE("etcd: what was compacted during a partition is learnt all the same") {
  if (!etcd_can_run()) return;
  Couple cluster;
  const PoolInfo gone = cluster.make_pool(1, "gone", {"10.1.50.0/24"});
  REQUIRE(becomes([&] { return cluster.meet(0, cluster.a, 1, gone); }));
  cluster.cut_off(0, true);
  must(cluster.node(1).delete_pool("gone"));
  const PoolInfo late = cluster.make_pool(1, "late", {"10.1.70.0/24"});
  REQUIRE(becomes([&] {
    return cluster.reaches(1, late, 1, cluster.b) && announcements(cluster.etcd()) >= 2;
  }));
  cluster.etcd().compact();
  CHECK(cluster.both_ways());
  cluster.cut_off(0, false);
  CHECK(becomes([&] { return cluster.meet(0, cluster.a, 1, late); }));
  CHECK(becomes([&] { return must(cluster.node(0).list_peers("acme")).size() == 2; }));
  CHECK(cluster.both_ways());
}

}  // namespace particle::test
