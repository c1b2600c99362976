// SPDX-License-Identifier: Apache-2.0
// More of everything: sixteen nodes, three servers, a thousand keys while the history is compacted.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "netns/pool_scene.hpp"
#include "overlay-adapters/etcd/client.hpp"
#include "overlay/etcd_bed.hpp"
#include "overlay/etcd_cluster.hpp"

namespace particle::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

}  // namespace

TEST_CASE("etcd: sixteen nodes with agents find each other, and each new pool") {
  if (!etcd_can_run()) return;
  constexpr std::size_t kNodes = 16;
  EtcdCluster cluster(kNodes);
  cluster.etcd().start();
  cluster.start_agents();
  std::vector<PoolInfo> pools;
  for (std::size_t i = 0; i < kNodes; ++i) pools.push_back(cluster.make_pool(i));
  for (std::size_t i = 1; i < kNodes; ++i)
    CHECK(becomes([&] { return cluster.meet(0, pools[0], i, pools[i]); }));
  for (std::size_t i = 0; i < kNodes; ++i)
    CHECK(becomes([&] { return must(cluster.node(i).list_peers("acme")).size() == kNodes - 1; }));
  const auto begin = Clock::now();
  const PoolInfo fresh = cluster.make_pool(7, "fresh", {"10.1.77.0/24"});
  for (std::size_t i = 0; i < kNodes; ++i) {
    if (i != 7) CHECK(becomes([&] { return cluster.reaches(i, pools[i], 7, fresh); }));
  }
  const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
  std::printf("  a new pool was reached from 15 nodes, asked one after the other, within %.0f ms\n",
              took.count());
}

TEST_CASE("etcd: a server that is dead is passed over, and the next one is asked") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  cluster.etcd().start();
  const std::string servers =
      "http://192.0.2.201:2379,http://192.0.2.202:2379," + cluster.etcd().url();
  for (const std::size_t i : {0U, 1U}) cluster.start_agent(i, {"--etcd-endpoints", servers}, "");
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  CHECK(becomes([&] { return cluster.meet(0, a, 1, b); }));
}

TEST_CASE("etcd: a watch from before a compaction says so") {
  if (!etcd_can_run()) return;
  EtcdBed bed(1);
  for (int i = 0; i < 5; ++i) bed.server().ctl({"put", "/particle/x/k", std::to_string(i)});
  bed.server().compact();
  must(bed.netns(0).run([&]() -> Result<void> {
    overlay::EtcdSettings settings;
    settings.endpoints = {bed.server().url()};
    std::stop_source stop;
    overlay::EtcdClient client(settings, stop.get_token());
    client.watch("/particle/x/", 1);
    const auto deadline = Clock::now() + 10s;
    bool compacted = false;
    while (!compacted && Clock::now() < deadline) {
      client.wait(100ms);
      for (const auto& news : must(client.news())) compacted = compacted || news.compacted;
    }
    CHECK(compacted);
    const overlay::Listing listing = must(client.list("/particle/x/"));
    REQUIRE(listing.keys.size() == 1);
    CHECK(listing.keys.front().value == "4");
    return {};
  }));
}

TEST_CASE("etcd: a thousand announcements in a burst arrive while the history is compacted") {
  if (!etcd_can_run()) return;
  EtcdBed bed(2);
  bed.make_pool(0, "a", "acme", 7901, {"10.1.0.0/24"});
  const PoolInfo b = bed.make_pool(1, "b", "acme", 7901, {"10.1.1.0/24"});
  std::vector<overlay::Announcement> all{bed.announcement(1, b)};
  for (unsigned i = 0; i < 1000; ++i) {
    overlay::Announcement one = all.front();
    one.pool = "invented-" + std::to_string(i);
    one.peer.mac = Mac::derive(one.pool);
    one.peer.prefixes = {
        IpPrefix::containing(must(ip("10.64.0.0").plus(std::uint64_t{i} * 256)), 24)};
    bed.announce(1, one);
    all.push_back(one);
    if (i % 250 == 100) bed.server().compact();
    if (i == 350) bed.cut_off(0, true);  // the other node misses some of it
  }
  bed.cut_off(0, false);
  CHECK(bed.learns(0, all));
  CHECK(bed.reconcile() == "");
  CHECK(must(bed.node(0).list_peers("acme")).size() == all.size());
}

}  // namespace particle::test
