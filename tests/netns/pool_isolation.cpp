// SPDX-License-Identifier: Apache-2.0
// Who reaches whom under each isolation.
#include <doctest/doctest.h>

#include <filesystem>

#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

struct Member {
  PoolInfo info;
  NetNs netns;
};

Member enter(const Node& node, const PoolSpec& spec) {
  PoolInfo info = make_pool(node, spec);
  return {std::move(info), must(node.open_pool_netns(spec.name))};
}

/// Two pools of one tenant on node a and one on node b, which are its peers.
struct Family3 {
  Member one;
  Member two;
  Member far;
};

PoolSpec member_spec(const std::string& name, int number, Isolation isolation, AddressMode mode) {
  const std::string n = std::to_string(number);
  PoolSpec spec = pool_spec(name, "acme", 7301, {});
  spec.blocks = {block("10.1." + n + ".0/24"), block("fd00:1:" + n + "::/64")};
  spec.count = 4;
  spec.isolation = isolation;
  spec.mode = mode;
  return spec;
}

Family3 make_family(const Scene& scene, Isolation isolation, AddressMode mode) {
  Family3 family{enter(scene.a, member_spec("one", 1, isolation, mode)),
                 enter(scene.a, member_spec("two", 2, isolation, mode)),
                 enter(scene.b, member_spec("far", 3, isolation, mode))};
  must(scene.a.add_peer(as_peer(family.far.info)));
  must(scene.b.add_peer(as_peer(family.one.info)));
  must(scene.b.add_peer(as_peer(family.two.info)));
  return family;
}

void check_reaches(const Member& from, const Member& to, bool expected) {
  const TokenServer server(to.netns, to.info.name);
  for (const Family family : kFamilies) {
    for (std::uint64_t i = 0; i < from.info.capacity; ++i) {
      const IpAddress source = endpoint(from.info, family, i);
      const IpAddress target = endpoint(to.info, family, to.info.capacity - 1 - i);
      CAPTURE(source.to_string());
      CAPTURE(target.to_string());
      const auto answer =
          ask(from.netns, source, target, server.port(), expected ? kTrafficLimit : kSilence);
      CHECK(answer.has_value() == expected);
      if (answer && expected) CHECK(*answer == to.info.name + " " + source.to_string());
      if (!expected && i > 0) break;  // silence takes its time
    }
  }
}

/// A lease of a pool of isolation container, and the namespace it lives in.
struct Guest {
  Lease lease;
  NetNs netns;
  [[nodiscard]] const IpAddress& address(Family family) const {
    return family == Family::v4 ? *lease.endpoint.v4 : *lease.endpoint.v6;
  }
};

Guest take(const Node& node, const std::string& pool, const std::string& holder) {
  std::vector<Lease> leases = must(node.lease(wish(pool, holder)));
  REQUIRE(leases.size() == 1);
  NetNs netns = must(NetNs::open_path(leases.front().netns_path));
  return {std::move(leases.front()), std::move(netns)};
}

void check_hears(const Guest& from, const Guest& to, const std::string& name) {
  const TokenServer server(to.netns, name);
  for (const Family family : kFamilies) {
    const IpAddress& source = from.address(family);
    CAPTURE(source.to_string());
    CAPTURE(to.address(family).to_string());
    const auto answer = ask(from.netns, {}, to.address(family), server.port());
    CHECK(answer.value_or(answer ? "" : answer.error().message()) ==
          name + " " + source.to_string());
  }
}

PoolSpec container_spec(const std::string& name, std::initializer_list<const char*> blocks) {
  PoolSpec spec = pool_spec(name, "acme", 7310, blocks);
  spec.isolation = Isolation::container;
  spec.cooldown = std::chrono::milliseconds(0);
  return spec;
}

void check_container(const PoolSpec& on_a, const PoolSpec& on_b) {
  const Scene scene;
  const PoolInfo a = make_pool(scene.a, on_a);
  const PoolInfo b = make_pool(scene.b, on_b);
  must(scene.a.add_peer(as_peer(b)));
  must(scene.b.add_peer(as_peer(a)));
  const Guest first = take(scene.a, "p", "c1");
  const Guest second = take(scene.a, "p", "c2");
  const Guest far = take(scene.b, "p", "c3");
  CHECK(must(first.netns.inode()) != must(second.netns.inode()));
  CHECK(must(first.netns.inode()) != a.netns_inode);
  check_hears(first, second, "second");
  check_hears(second, first, "first");
  check_hears(first, far, "far");
  check_hears(far, second, "second");
}

}  // namespace

TEST_CASE("pool isolation tenant: pools of one tenant on a node reach each other and the peer") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    const Family3 family = make_family(scene, Isolation::tenant, mode);
    CHECK(family.one.info.mac != family.two.info.mac);
    check_reaches(family.one, family.two, true);
    check_reaches(family.two, family.one, true);
    for (const Member* near : {&family.one, &family.two}) {
      check_reaches(*near, family.far, true);
      check_reaches(family.far, *near, true);
    }
  }
}

TEST_CASE("pool isolation tenant: ranges of one subnet on one node reach each other") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    PoolSpec one = pool_spec("one", "acme", 7302,
                             {"10.1.0.0/24 10.1.0.8-10.1.0.11", "fd00:1::/64 fd00:1::8-fd00:1::b"});
    PoolSpec two =
        pool_spec("two", "acme", 7302,
                  {"10.1.0.0/24 10.1.0.13-10.1.0.16", "fd00:1::/64 fd00:1::d-fd00:1::10"});
    one.mode = mode;
    two.mode = mode;
    const Member first = enter(scene.a, one);
    const Member second = enter(scene.a, two);
    check_reaches(first, second, true);
    check_reaches(second, first, true);
  }
}

TEST_CASE("pool isolation job: jobs reach the peer, and not each other on the node") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    const Family3 family = make_family(scene, Isolation::job, mode);
    check_reaches(family.one, family.two, false);
    check_reaches(family.two, family.one, false);
    for (const Member* near : {&family.one, &family.two}) {
      check_reaches(*near, family.far, true);
      check_reaches(family.far, *near, true);
    }
  }
}

TEST_CASE("pool isolation job: entries made by hand do not let one job reach another") {
  if (!need_namespaces()) return;
  const Scene scene;
  const Member one = enter(scene.a, member_spec("one", 1, Isolation::job, AddressMode::anyip));
  const Member two = enter(scene.a, member_spec("two", 2, Isolation::job, AddressMode::anyip));
  const auto open_way = [](const Member& from, const Member& to) {
    const std::string hop = to.info.primary_v4->to_string();
    run_ok({"ip", "neigh", "add", hop, "lladdr", to.info.mac.to_string(), "dev", "eth0", "nud",
            "permanent"},
           from.netns);
    run_ok({"ip", "route", "add", to.info.routes.front().to_string(), "via", hop, "dev", "eth0",
            "onlink"},
           from.netns);
  };
  open_way(one, two);
  open_way(two, one);
  const TokenServer server(two.netns, "two");
  CHECK_FALSE(ask(one.netns, {}, endpoint(two.info, Family::v4, 1), server.port(), kSilence));
}

TEST_CASE("pool isolation job: a job and a tenant pool do not reach each other") {
  if (!need_namespaces()) return;
  const Scene scene;
  const Member job = enter(scene.a, member_spec("one", 1, Isolation::job, AddressMode::anyip));
  const Member pool = enter(scene.a, member_spec("two", 2, Isolation::tenant, AddressMode::anyip));
  check_reaches(job, pool, false);
  check_reaches(pool, job, false);
}

TEST_CASE("pool isolation container: each lease has a namespace and reaches siblings and peers") {
  if (!need_namespaces()) return;
  check_container(container_spec("p", {"10.1.1.0/24", "fd00:1:1::/112"}),
                  container_spec("p", {"10.1.2.0/24", "fd00:1:2::/112"}));
}

TEST_CASE("pool isolation container: ranges of one subnet on two nodes") {
  if (!need_namespaces()) return;
  check_container(
      container_spec("p", {"10.1.0.0/24 10.1.0.16-10.1.0.31", "fd00:1::/64 fd00:1::10-fd00:1::1f"}),
      container_spec("p",
                     {"10.1.0.0/24 10.1.0.32-10.1.0.47", "fd00:1::/64 fd00:1::20-fd00:1::2f"}));
}

TEST_CASE("pool isolation container: a container reaches the tenant's other pools on the node") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, container_spec("p", {"10.1.1.0/24", "fd00:1:1::/112"}));
  PoolSpec shared = pool_spec("shared", "acme", 7310, {"10.1.2.0/24", "fd00:1:2::/112"});
  shared.mode = AddressMode::anyip;
  const Member neighbour = enter(scene.a, shared);
  const Guest guest = take(scene.a, "p", "c1");
  const TokenServer server(neighbour.netns, "shared");
  const TokenServer back(guest.netns, "guest");
  for (const Family family : kFamilies) {
    const IpAddress far = endpoint(neighbour.info, family, 5);
    const auto forth = ask(guest.netns, {}, far, server.port());
    CHECK(forth.value_or("silence") == "shared " + guest.address(family).to_string());
    const auto answer = ask(neighbour.netns, far, guest.address(family), back.port());
    CHECK(answer.value_or("silence") == "guest " + far.to_string());
  }
}

TEST_CASE("pool isolation container: the peer has as many entries for ten leases as for none") {
  if (!need_namespaces()) return;
  const Scene scene;
  const PoolInfo a = make_pool(scene.a, container_spec("p", {"10.1.1.0/24", "fd00:1:1::/112"}));
  make_pool(scene.b, container_spec("p", {"10.1.2.0/24", "fd00:1:2::/112"}));
  must(scene.b.add_peer(as_peer(a)));
  const NetNs pool = must(scene.b.open_pool_netns("p"));
  const NetNs vtep = must(scene.b.open_vtep_netns("acme"));
  const auto entries = [&] {
    return std::vector<std::size_t>{as_json({"ip", "-j", "-4", "route"}, pool).size(),
                                    as_json({"ip", "-j", "-6", "route"}, pool).size(),
                                    as_json({"ip", "-j", "neigh"}, pool).size(),
                                    as_json({"bridge", "-j", "fdb", "show"}, vtep).size()};
  };
  const auto before = entries();
  must(scene.a.lease(wish("p", "many", 10)));
  CHECK(entries() == before);
}

TEST_CASE("pool isolation container: release takes the namespace and its veth away") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, container_spec("p", {"10.1.1.0/24"}));
  const NetNs vtep = must(scene.a.open_vtep_netns("acme"));
  const std::size_t before = as_json({"ip", "-j", "link"}, vtep).size();
  std::string pin;
  {
    const Guest guest = take(scene.a, "p", "c1");
    pin = guest.lease.netns_path;
    CHECK(as_json({"ip", "-j", "link"}, vtep).size() == before + 1);
    CHECK(must(scene.a.inspect_pool("p")).problems == std::vector<std::string>{});
    CHECK(must(scene.a.release("p", "c1")).size() == 1);
  }
  CHECK_FALSE(std::filesystem::exists(pin));
  std::size_t after = before + 1;
  for (int i = 0; i < 300 && after != before; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the kernel's own pace
    after = as_json({"ip", "-j", "link"}, vtep).size();
  }
  CHECK(after == before);
}

TEST_CASE("pool isolation container: inspect says what an endpoint's own namespace lacks") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, container_spec("p", {"10.1.1.0/24"}));
  const Guest guest = take(scene.a, "p", "c1");
  CHECK(must(scene.a.inspect_pool("p")).health == PoolHealth::ready);
  const std::string address = guest.address(Family::v4).to_string();
  run_ok({"ip", "route", "del", "default"}, guest.netns);
  const PoolInfo info = must(scene.a.inspect_pool("p"));
  CHECK(info.health == PoolHealth::damaged);
  REQUIRE(info.problems.size() == 1);
  CHECK(info.problems.front().starts_with("endpoint " + address + ": "));
}

TEST_CASE("pool isolation container: gc gives an endpoint the device back that somebody removed") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, container_spec("p", {"10.1.1.0/24", "fd00:1::/64"}));
  const Guest guest = take(scene.a, "p", "c1");
  const Guest sibling = take(scene.a, "p", "c2");
  run_ok({"ip", "link", "del", "eth0"}, guest.netns);
  CHECK(must(scene.a.inspect_pool("p")).health == PoolHealth::damaged);
  for (const auto& finding : must(scene.a.collect_garbage())) {
    INFO(finding.object);
    CHECK(finding.action == GcAction::repaired);
  }
  CHECK(must(scene.a.inspect_pool("p")).problems == std::vector<std::string>{});
  check_hears(guest, sibling, "p");
}

TEST_CASE(
    "pool isolation container: a pool deleted by force takes its leases' namespaces with it") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, container_spec("p", {"10.1.1.0/24"}));
  must(scene.a.lease(wish("p", "c", 3)));
  const auto refused = scene.a.delete_pool("p");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  must(scene.a.delete_pool("p", true));
  CHECK(std::filesystem::is_empty(scene.dir.path()));
}

TEST_CASE("pool isolation container: the router's address is nobody's lease") {
  if (!need_namespaces()) return;
  const Scene scene;
  const PoolInfo info = make_pool(scene.a, container_spec("p", {"10.1.1.0/29"}));
  const auto refused = scene.a.lease(named("p", "c", *info.primary_v4));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::invalid_argument);
  for (const Lease& lease : must(scene.a.lease(wish("p", "c", 5)))) {
    CHECK(lease.endpoint.v4 != info.primary_v4);
  }
  CHECK_FALSE(scene.a.lease(wish("p", "c")));
}

}  // namespace particle::test
