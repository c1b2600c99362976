// SPDX-License-Identifier: Apache-2.0
// VNIs and address blocks, given out by a real etcd to many who ask at once.
#include <doctest/doctest.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "netns/pool_scene.hpp"
#include "overlay-adapters/etcd/allocation.hpp"
#include "overlay-adapters/etcd/free_block.hpp"
#include "overlay/etcd_cluster.hpp"

namespace particle::test {
namespace {

using namespace overlay;

BlockRequest request(const std::string& tenant, const std::string& node, const std::string& pool,
                     const std::string& subnet, unsigned length) {
  BlockRequest out;
  out.tenant = tenant;
  out.node = node;
  out.pool = pool;
  out.subnet = net(subnet);
  out.length = length;
  return out;
}

/// An etcd, and a namespace that reaches it.
struct Bank {
  Fabric fabric = make_fabric(1);
  TempRunDir directory;
  EtcdServer etcd{fabric.switch_netns, directory.file("etcd")};
  EtcdSettings settings;

  Bank() {
    etcd.start();
    settings.endpoints = {etcd.url()};
  }
  template <class T>
  Result<T> at_node(const std::function<Result<T>()>& ask) const {
    Result<T> out = fail(Error{});
    must(fabric.nodes.front().run([&]() -> Result<void> {
      out = ask();
      return {};
    }));
    return out;
  }
  [[nodiscard]] Result<Allocation> allocate(const BlockRequest& what) const {
    return at_node<Allocation>([&] { return allocate_block(settings, what); });
  }
  [[nodiscard]] Result<std::vector<Block>> release(const BlockFilter& filter) const {
    return at_node<std::vector<Block>>([&] { return release_blocks(settings, filter); });
  }
  [[nodiscard]] std::vector<Block> list(const BlockFilter& filter = {}) const {
    return must(at_node<std::vector<Block>>([&] { return list_blocks(settings, filter); }));
  }
};

}  // namespace

TEST_CASE("etcd allocation: the lowest free block is found among blocks of other sizes") {
  const auto find = [](const char* subnet, unsigned length, std::vector<IpPrefix> taken) {
    const auto found = find_free_block(net(subnet), length, std::move(taken));
    return found ? found->to_string() : "none";
  };
  CHECK(find("10.0.0.0/16", 24, {}) == "10.0.0.0/24");
  CHECK(find("10.0.0.0/16", 24, {net("10.0.1.0/24"), net("10.0.0.0/24")}) == "10.0.2.0/24");
  CHECK(find("10.0.0.0/16", 24, {net("10.0.0.7/32"), net("10.0.1.128/25")}) == "10.0.2.0/24");
  CHECK(find("10.0.0.0/16", 24, {net("10.0.0.0/17"), net("10.0.3.0/24")}) == "10.0.128.0/24");
  CHECK(find("10.0.0.0/16", 16, {net("10.0.9.0/24")}) == "none");
  CHECK(find("10.0.0.0/24", 25, {net("10.0.0.0/25"), net("10.0.0.128/25")}) == "none");
  CHECK(find("10.0.0.0/24", 25, {net("10.0.0.0/8")}) == "none");
  CHECK(find("255.255.255.0/24", 25, {net("255.255.255.0/24")}) == "none");
  CHECK(find("fd00::/48", 64, {net("fd00::/64"), net("10.0.0.0/8")}) == "fd00:0:0:1::/64");
}

TEST_CASE("etcd allocation: the lowest free VNI is found") {
  const auto vni = [](std::uint64_t value) { return must(Vni::from(value)); };
  CHECK(find_free_vni({}) == vni(1));
  CHECK(find_free_vni({vni(2), vni(3)}) == vni(1));
  CHECK(find_free_vni({vni(1), vni(2), vni(5)}) == vni(3));
}

TEST_CASE("etcd allocation: many who ask at once get blocks that do not overlap") {
  if (!etcd_can_run()) return;
  const Bank bank;
  constexpr int kAskers = 12;
  constexpr int kEach = 5;
  std::mutex mutex;
  std::vector<Allocation> all;
  std::vector<std::string> errors;
  {
    std::vector<std::jthread> askers;
    for (int i = 0; i < kAskers; ++i) {
      askers.emplace_back([&, i] {
        for (int k = 0; k < kEach; ++k) {
          // Of different sizes and two tenants, so that nothing is disjoint by accident.
          auto got =
              bank.allocate(request(i % 2 == 0 ? "red" : "blue", "n" + std::to_string(i),
                                    "p" + std::to_string(k), "10.0.0.0/16", k % 2 == 0 ? 24 : 26));
          const std::scoped_lock lock(mutex);
          if (got) {
            all.push_back(*got);
          } else {
            errors.push_back(got.error().message());
          }
        }
      });
    }
  }
  CHECK(said(errors) == "");
  REQUIRE(all.size() == kAskers * kEach);
  std::set<std::pair<std::string, std::uint32_t>> vnis;
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i].changed);
    vnis.insert({all[i].block.tenant, all[i].block.vni.value()});
    for (std::size_t k = 0; k < i; ++k) {
      const bool same = all[i].block.tenant == all[k].block.tenant;
      CHECK_FALSE((same && all[i].block.prefix.overlaps(all[k].block.prefix)));
    }
  }
  // One VNI each, and not the same.
  CHECK(vnis.size() == 2);
  CHECK(vnis.begin()->second != vnis.rbegin()->second);
  CHECK(bank.list().size() == all.size());
}

TEST_CASE("etcd allocation: asking again gives the same, and contradictions are refused") {
  if (!etcd_can_run()) return;
  const Bank bank;
  BlockRequest first = request("acme", "a", "web", "10.1.0.0/23", 24);
  first.vni = must(Vni::from(42));
  const Allocation got = must(bank.allocate(first));
  CHECK(got.changed);
  CHECK(got.block.prefix == net("10.1.0.0/24"));
  CHECK(got.block.vni == *first.vni);
  const Allocation again = must(bank.allocate(first));
  CHECK_FALSE(again.changed);
  CHECK(again.block.prefix == got.block.prefix);
  // The other family of the same pool.
  CHECK(must(bank.allocate(request("acme", "a", "web", "fd00:1::/48", 64))).block.prefix ==
        net("fd00:1::/64"));
  const auto refused = [&](const BlockRequest& what, Errc kind, const std::string& words) {
    const auto result = bank.allocate(what);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind() == kind);
    CHECK(result.error().message().find(words) != std::string::npos);
  };
  refused(request("acme", "a", "web", "10.1.0.0/23", 25), Errc::conflict,
          "has 10.1.0.0/24 already");
  BlockRequest other = request("acme", "b", "web", "10.1.0.0/23", 24);
  other.vni = must(Vni::from(43));
  refused(other, Errc::conflict, "tenant acme has VNI 42, not 43");
  BlockRequest thief = request("evil", "b", "web", "10.1.0.0/23", 24);
  thief.vni = first.vni;
  refused(thief, Errc::conflict, "VNI 42 is another tenant's");
  refused(request("acme", "b", "web", "10.1.0.0/24", 23), Errc::invalid_argument, "length 23");
  CHECK(must(bank.allocate(request("acme", "b", "web", "10.1.0.0/23", 24))).block.prefix ==
        net("10.1.1.0/24"));
  refused(request("acme", "c", "web", "10.1.0.0/23", 24), Errc::exhausted, "no /24 is free");
  // Exactly these addresses, which another has.
  refused(request("acme", "c", "web", "10.1.1.0/24", 24), Errc::exhausted, "10.1.1.0/24");
}

TEST_CASE("etcd allocation: the last block takes the VNI with it, and what is announced stays") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  cluster.etcd().start();
  EtcdSettings settings;
  settings.endpoints = {cluster.etcd().url()};
  const auto at_node = [&](const std::function<Result<void>()>& work) {
    return cluster.netns(0).run(work);
  };
  Vni vni;
  IpPrefix block;
  must(at_node([&]() -> Result<void> {
    const Allocation got =
        must(allocate_block(settings, request("acme", "n1", "job", "10.3.0.0/16", 24)));
    vni = got.block.vni;
    block = got.block.prefix;
    return {};
  }));
  // The pool that it was for, and one of the other node.
  cluster.start_agents();
  const PoolInfo a = cluster.make_pool(0, "job", {block.to_string().c_str()}, "acme", vni.value());
  const PoolInfo b = cluster.make_pool(1, "job", {"10.4.0.0/24"}, "acme", vni.value());
  CHECK(becomes([&] { return cluster.meet(0, a, 1, b); }));
  const BlockFilter all{.tenant = "acme", .node = {}, .pool = {}, .prefix = {}};
  auto released = at_node([&]() -> Result<void> {
    auto done = release_blocks(settings, all);
    if (!done) return fail(std::move(done.error()));
    return {};
  });
  REQUIRE_FALSE(released.has_value());
  CHECK(released.error().kind() == Errc::busy);
  // Addresses that are announced are taken, though nobody allocated them.
  must(at_node([&]() -> Result<void> {
    CHECK(must(allocate_block(settings, request("acme", "n3", "x", "10.4.0.0/16", 24)))
              .block.prefix == net("10.4.1.0/24"));
    return {};
  }));
  must(cluster.node(0).delete_pool("job"));
  CHECK(becomes(
      [&] { return cluster.etcd().ctl({"get", "/particle/default/pools/n1/job"}).empty(); }));
  must(at_node([&]() -> Result<void> {
    CHECK(must(release_blocks(settings, all)).size() == 2);
    CHECK(must(list_blocks(settings, {})).empty());
    CHECK(must(release_blocks(settings, all)).empty());
    return {};
  }));
  CHECK(cluster.etcd().ctl({"get", "--prefix", "/particle/default/tenants/"}).empty());
  CHECK(cluster.etcd().ctl({"get", "--prefix", "/particle/default/vnis/"}).empty());
}

TEST_CASE("etcd allocation: more blocks than fit into one transaction are released") {
  if (!etcd_can_run()) return;
  const Bank bank;
  for (int i = 0; i < 130; ++i)
    must(bank.allocate(request("acme", "a", "p" + std::to_string(i), "10.0.0.0/16", 24)));
  CHECK(must(bank.release({.tenant = {}, .node = "a", .pool = {}, .prefix = {}})).size() == 130);
  CHECK(bank.list().empty());
}

}  // namespace particle::test
