// SPDX-License-Identifier: Apache-2.0
// create again: nothing to do, mend what was damaged, or refuse another spec.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>

#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

PoolSpec whole_spec(AddressMode mode) {
  PoolSpec spec = pool_spec("p", "acme", 7701, {"10.1.1.0/24", "fd00:1:1::/64"});
  spec.count = 4;
  spec.mode = mode;
  return spec;
}

/// A pool with a peer that it talks to.
struct Talking {
  Scene scene;
  PoolSpec spec;
  PoolInfo info;
  PoolInfo far;

  explicit Talking(AddressMode mode) : spec(whole_spec(mode)) {
    PoolSpec there = spec;
    there.blocks = {block("10.1.2.0/24"), block("fd00:1:2::/64")};
    info = make_pool(scene.a, spec);
    far = make_pool(scene.b, there);
    must(scene.a.add_peer(as_peer(far)));
    must(scene.b.add_peer(as_peer(info)));
  }
  void check_talks() const {
    const NetNs here = must(scene.a.open_pool_netns("p"));
    const NetNs there = must(scene.b.open_pool_netns("p"));
    const TokenServer server(there, "far");
    for (const Family family : kFamilies) {
      const IpAddress from = endpoint(info, family, 2);
      const auto answer = ask(here, from, endpoint(far, family, 3), server.port());
      CHECK(answer.value_or(answer ? "" : answer.error().message()) == "far " + from.to_string());
    }
  }
};

struct Damage {
  std::string name;
  bool in_pool;  ///< else in the VTEP's namespace
  std::vector<std::string> command;
};

std::vector<Damage> damages(const PoolInfo& info) {
  const bool anyip = info.mode == AddressMode::anyip;
  std::vector<Damage> all{
      {"eth0 down", true, {"ip", "link", "set", "eth0", "down"}},
      {"lo down", true, {"ip", "link", "set", "lo", "down"}},
      {"IPv4 primary gone", true, {"ip", "addr", "del", "10.1.1.1/32", "dev", "eth0"}},
      {"IPv6 primary gone", true, {"ip", "addr", "del", "fd00:1:1::1/128", "dev", "eth0"}},
      {"all addresses gone", true, {"ip", "addr", "flush", "dev", "eth0"}},
      {"on-link route gone", true, {"ip", "route", "del", "10.1.1.0/24"}},
      {"IPv6 on-link route gone",
       true,
       {"ip", "-6", "route", "del", "fd00:1:1::/64", "dev", "eth0"}},
      {"eth0 gone", true, {"ip", "link", "del", "eth0"}},
      {"other MAC", true, {"ip", "link", "set", "eth0", "address", "02:00:00:00:00:99"}},
      {"other MTU", true, {"ip", "link", "set", "eth0", "mtu", "1300"}},
      {"port down", false, {"ip", "link", "set", info.port, "down"}},
      {"port off the bridge", false, {"ip", "link", "set", info.port, "nomaster"}},
      {"port gone", false, {"ip", "link", "del", info.port}},
      {"FDB entry gone",
       false,
       {"bridge", "fdb", "del", info.mac.to_string(), "dev", info.port, "master"}},
      {"vxlan down", false, {"ip", "link", "set", info.vxlan, "down"}},
      {"vxlan off the bridge", false, {"ip", "link", "set", info.vxlan, "nomaster"}},
      {"vxlan gone", false, {"ip", "link", "del", info.vxlan}},
      {"bridge down", false, {"ip", "link", "set", info.bridge, "down"}},
      {"bridge gone", false, {"ip", "link", "del", info.bridge}},
  };
  if (anyip) {
    all.push_back({"local route gone",
                   true,
                   {"ip", "route", "del", "local", "10.1.1.0/24", "dev", "lo", "table", "local"}});
    all.push_back(
        {"IPv6 local route gone",
         true,
         {"ip", "-6", "route", "del", "local", "fd00:1:1::/64", "dev", "lo", "table", "local"}});
  } else {
    all.push_back({"endpoint gone", true, {"ip", "addr", "del", "10.1.1.3/32", "dev", "eth0"}});
    all.push_back(
        {"IPv6 endpoint gone", true, {"ip", "addr", "del", "fd00:1:1::3/128", "dev", "eth0"}});
  }
  return all;
}

void check_mended(const Talking& talking, const std::function<void()>& damage) {
  damage();
  const PoolInfo hurt = must(talking.scene.a.inspect_pool("p"));
  CHECK(hurt.health == PoolHealth::damaged);
  CHECK_FALSE(hurt.problems.empty());
  CHECK(must(talking.scene.a.create_pool(talking.spec)).outcome.changed);
  const PoolInfo mended = must(talking.scene.a.inspect_pool("p"));
  CHECK(mended.health == PoolHealth::ready);
  CHECK(mended.problems == std::vector<std::string>{});
  talking.check_talks();
}

void check_damages(AddressMode mode) {
  const std::size_t count = damages(Talking(mode).info).size();
  for (std::size_t i = 0; i < count; ++i) {
    const Talking talking(mode);
    const Damage damage = damages(talking.info)[i];
    CAPTURE(damage.name);
    check_mended(talking, [&] {
      run_ok(damage.command, damage.in_pool ? must(talking.scene.a.open_pool_netns("p"))
                                            : must(talking.scene.a.open_vtep_netns("acme")));
    });
  }
}

Error refused(const Node& node, const PoolSpec& spec) {
  const auto result = node.create_pool(spec);
  REQUIRE_FALSE(result);
  return result.error();
}

}  // namespace

TEST_CASE("pool repair: the same spec again changes nothing and says so") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Talking talking(mode);
    const Outcome again = must(talking.scene.a.create_pool(talking.spec)).outcome;
    CHECK_FALSE(again.changed);
    CHECK(again.steps.empty());
    CHECK(must(talking.scene.a.plan_create(talking.spec)).empty());
    const PoolInfo info = must(talking.scene.a.inspect_pool("p"));
    CHECK(info.netns_inode == talking.info.netns_inode);
    talking.check_talks();
  }
}

TEST_CASE("pool repair, secondary: each damage is seen and mended") {
  if (!need_namespaces()) return;
  check_damages(AddressMode::secondary);
}

TEST_CASE("pool repair, anyip: each damage is seen and mended") {
  if (!need_namespaces()) return;
  check_damages(AddressMode::anyip);
}

TEST_CASE("pool repair: a pin that was unmounted") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Talking talking(mode);
    check_mended(talking,
                 [&] { REQUIRE(umount2(talking.info.netns_path.c_str(), MNT_DETACH) == 0); });
    check_mended(talking,
                 [&] { REQUIRE(umount2(talking.info.vtep_path.c_str(), MNT_DETACH) == 0); });
  }
}

TEST_CASE("pool repair: a pin that was unmounted while a process keeps the namespace") {
  if (!need_namespaces()) return;
  const Talking talking(AddressMode::anyip);
  const NetNs held = must(talking.scene.a.open_pool_netns("p"));
  check_mended(talking,
               [&] { REQUIRE(umount2(talking.info.netns_path.c_str(), MNT_DETACH) == 0); });
}

TEST_CASE("pool repair: gc mends as create does") {
  if (!need_namespaces()) return;
  const Talking talking(AddressMode::anyip);
  run_ok({"ip", "link", "set", "eth0", "down"}, must(talking.scene.a.open_pool_netns("p")));
  const auto rehearsed =
      must(talking.scene.a.collect_garbage({.dry_run = true, .holder_alive = {}}));
  REQUIRE(rehearsed.size() == 1);
  CHECK(must(talking.scene.a.inspect_pool("p")).health == PoolHealth::damaged);
  const auto findings = must(talking.scene.a.collect_garbage());
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().action == GcAction::repaired);
  CHECK(findings.front().object == "pool p");
  CHECK(must(talking.scene.a.collect_garbage()).empty());
  talking.check_talks();
}

TEST_CASE("pool repair: another spec fails with the differences and changes nothing") {
  if (!need_namespaces()) return;
  const Talking talking(AddressMode::anyip);
  struct Other {
    std::string field;
    std::function<void(PoolSpec&)> change;
  };
  for (const Other& other : std::initializer_list<Other>{
           {"mode", [](PoolSpec& s) { s.mode = AddressMode::secondary; }},
           {"count", [](PoolSpec& s) { s.count = 5; }},
           {"addresses", [](PoolSpec& s) { s.blocks[0] = block("10.1.9.0/24"); }},
           {"addresses", [](PoolSpec& s) { s.blocks.pop_back(); }},
           {"isolation", [](PoolSpec& s) { s.isolation = Isolation::job; }},
           {"MTU", [](PoolSpec& s) { s.mtu = must(Mtu::from(1400)); }},
           {"cool-down", [](PoolSpec& s) { s.cooldown = std::chrono::milliseconds(5); }}}) {
    CAPTURE(other.field);
    PoolSpec spec = talking.spec;
    other.change(spec);
    const Error error = refused(talking.scene.a, spec);
    CHECK(error.kind() == Errc::conflict);
    CHECK(said(error.details).find(other.field) != std::string::npos);
  }
  PoolSpec vni = talking.spec;
  vni.vni = must(Vni::from(7702));
  CHECK(refused(talking.scene.a, vni).kind() == Errc::conflict);
  PoolSpec tenant = talking.spec;
  tenant.tenant = "other";
  CHECK_MESSAGE(refused(talking.scene.a, tenant).kind() == Errc::conflict, "its VNI is taken");
  tenant.vni = must(Vni::from(7703));
  CHECK(refused(talking.scene.a, tenant).kind() == Errc::already_exists);
  PoolSpec overlapping = talking.spec;
  overlapping.name = "q";
  CHECK(refused(talking.scene.a, overlapping).kind() == Errc::conflict);
  CHECK(must(talking.scene.a.list_pools()).size() == 1);
  CHECK_FALSE(must(talking.scene.a.create_pool(talking.spec)).outcome.changed);
  talking.check_talks();
}

TEST_CASE("pool repair: a refused create leaves the run directory as it was") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec spec = whole_spec(AddressMode::anyip);
  spec.underlay.device = "nosuchdevice";
  CHECK(refused(scene.a, spec).kind() == Errc::not_found);
  spec.underlay = {};
  spec.mtu = must(Mtu::from(9000));
  CHECK(refused(scene.a, spec).kind() == Errc::invalid_argument);
  CHECK(std::filesystem::is_empty(scene.dir.path()));
}

TEST_CASE("inspect: what is mended by whoever is at work on the tenant was not damaged") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(pool_spec("p", "acme", 7701, {"10.1.1.0/24"})));
  const NetNs pool = must(scene.a.open_pool_netns("p"));
  const UniqueFd tenant(
      open((scene.a.directory() + "/tenants/acme").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(flock(tenant.get(), LOCK_EX) == 0);
  run_ok({"ip", "link", "set", "lo", "down"}, pool);
  std::thread worker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    run_ok({"ip", "link", "set", "lo", "up"}, pool);
    flock(tenant.get(), LOCK_UN);
  });
  const auto seen = scene.a.inspect_pool("p");
  worker.join();
  CHECK(must(seen).problems == std::vector<std::string>{});
}

}  // namespace particle::test
