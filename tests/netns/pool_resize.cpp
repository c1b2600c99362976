// SPDX-License-Identifier: Apache-2.0
// A pool that grows and shrinks in place.
#include <doctest/doctest.h>

#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

PoolSpec ranged(const std::string& name, AddressMode mode, const char* v4, const char* v6) {
  PoolSpec spec = pool_spec(name, "acme", 7401, {v4, v6});
  spec.mode = mode;
  spec.cooldown = std::chrono::milliseconds(0);
  return spec;
}

PoolSpec usual(AddressMode mode) {
  return ranged("p", mode, "10.1.0.0/24 10.1.0.8-10.1.0.15", "fd00:1::/64 fd00:1::8-fd00:1::f");
}

ResizeSpec to_count(std::uint64_t count) {
  return {.count = count, .blocks = {}};
}

/// Which of the first `n` addresses from the primary one on answer.
std::uint64_t answering(const Node& node, const PoolInfo& info, Family family, std::uint64_t n) {
  const NetNs netns = must(node.open_pool_netns(info.name));
  const TokenServer server(netns, "x");
  std::uint64_t count = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    const IpAddress address = endpoint(info, family, i);
    if (ask(netns, address, address, server.port(), kSilence)) ++count;
  }
  return count;
}

PoolInfo check_ready(const Node& node, std::uint64_t capacity) {
  const PoolInfo info = must(node.inspect_pool("p"));
  CHECK(info.health == PoolHealth::ready);
  CHECK(info.problems == std::vector<std::string>{});
  CHECK(info.capacity == capacity);
  return info;
}

}  // namespace

TEST_CASE("pool resize: a count shrinks and grows, in both modes") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    const PoolInfo before = make_pool(scene.a, usual(mode));
    for (const std::uint64_t count : {3U, 8U, 1U, 5U}) {
      CAPTURE(count);
      CHECK(must(scene.a.resize_pool("p", to_count(count))).changed);
      const PoolInfo info = check_ready(scene.a, count);
      CHECK(info.mac == before.mac);
      CHECK(info.netns_inode == before.netns_inode);
      for (const Family family : kFamilies) {
        CHECK(answering(scene.a, info, family, 8) == count);
      }
      const Outcome again = must(scene.a.resize_pool("p", to_count(count)));
      CHECK_FALSE(again.changed);
      CHECK(again.steps.empty());
    }
  }
}

TEST_CASE("pool resize: a range changes when its first address stays") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    make_pool(scene.a, usual(mode));
    const ResizeSpec wider{.count = {},
                           .blocks = {block("10.1.0.0/24 10.1.0.8-10.1.0.40"),
                                      block("fd00:1::/64 fd00:1::8-fd00:1::28")}};
    CHECK(must(scene.a.resize_pool("p", wider)).changed);
    const PoolInfo info = check_ready(scene.a, 33);
    for (const Family family : kFamilies) CHECK(answering(scene.a, info, family, 40) == 33);
    CHECK_FALSE(must(scene.a.resize_pool("p", wider)).changed);

    const ResizeSpec moved{.count = {}, .blocks = {block("10.1.0.0/24 10.1.0.9-10.1.0.20")}};
    const auto refused = scene.a.resize_pool("p", moved);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == Errc::invalid_argument);
    check_ready(scene.a, 33);
  }
}

TEST_CASE("pool resize: a whole prefix becomes a wider one") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    PoolSpec spec = pool_spec("p", "acme", 7402, {"10.1.0.0/28", "fd00:1::/124"});
    spec.mode = mode;
    make_pool(scene.a, spec);
    must(scene.a.resize_pool(
        "p", {.count = {}, .blocks = {block("10.1.0.0/27"), block("fd00:1::/123")}}));
    PoolInfo info = check_ready(scene.a, 30);
    for (const Family family : kFamilies) CHECK(answering(scene.a, info, family, 30) == 30);
    must(scene.a.resize_pool(
        "p", {.count = {}, .blocks = {block("10.1.0.0/28"), block("fd00:1::/124")}}));
    info = check_ready(scene.a, 14);
    for (const Family family : kFamilies) CHECK(answering(scene.a, info, family, 14) == 14);
    const NetNs netns = must(scene.a.open_pool_netns("p"));
    for (const char* version : {"-4", "-6"}) {
      const CommandResult routes =
          run_command({"ip", version, "route", "show", "table", "all"}, &netns);
      CHECK(routes.out.find("/27") == std::string::npos);
      CHECK(routes.out.find("/123") == std::string::npos);
    }
  }
}

TEST_CASE("pool resize: it does not shrink below a lease") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    const PoolInfo info = make_pool(scene.a, usual(mode));
    const IpAddress sixth = endpoint(info, Family::v4, 5);
    must(scene.a.lease(named("p", "c", sixth)));
    const auto refused = scene.a.resize_pool("p", to_count(5));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == Errc::busy);
    check_ready(scene.a, 8);
    CHECK(answering(scene.a, info, Family::v4, 8) == 8);
    must(scene.a.resize_pool("p", to_count(6)));
    must(scene.a.release("p", "c"));
    must(scene.a.resize_pool("p", to_count(5)));
    check_ready(scene.a, 5);
    const auto outside = scene.a.lease(named("p", "c", sixth));
    REQUIRE_FALSE(outside);
    CHECK(outside.error().kind() == Errc::invalid_argument);
  }
}

TEST_CASE("pool resize: siblings follow") {
  if (!need_namespaces()) return;
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    make_pool(scene.a, usual(mode));
    make_pool(scene.a, ranged("q", mode, "10.1.0.0/24 10.1.0.100-10.1.0.103",
                              "fd00:1::/64 fd00:1::64-fd00:1::67"));
    const NetNs p = must(scene.a.open_pool_netns("p"));
    const NetNs q = must(scene.a.open_pool_netns("q"));
    const TokenServer server(p, "p");
    const auto reaches = [&](const std::string& address) {
      return ask(q, {}, ip(address), server.port(), kSilence).has_value();
    };
    for (const auto& [last, in_v4, in_v6] : {std::tuple{"10.1.0.30", "10.1.0.30", "fd00:1::1e"},
                                             std::tuple{"10.1.0.9", "10.1.0.9", "fd00:1::9"},
                                             std::tuple{"10.1.0.70", "10.1.0.70", "fd00:1::46"}}) {
      CAPTURE(last);
      must(scene.a.resize_pool("p",
                               {.count = {},
                                .blocks = {block(std::string("10.1.0.0/24 10.1.0.8-") + last),
                                           block(std::string("fd00:1::/64 fd00:1::8-") + in_v6)}}));
      CHECK(reaches(in_v4));
      CHECK(reaches(in_v6));
      CHECK(must(scene.a.inspect_pool("p")).problems == std::vector<std::string>{});
      CHECK(must(scene.a.inspect_pool("q")).problems == std::vector<std::string>{});
    }
    must(scene.a.resize_pool("p", {.count = {},
                                   .blocks = {block("10.1.0.0/24 10.1.0.8-10.1.0.9"),
                                              block("fd00:1::/64 fd00:1::8-fd00:1::9")}}));
    CHECK_FALSE(reaches("10.1.0.70"));
    // Nothing of the larger sizes is left in the sibling.
    for (const char* version : {"-4", "-6"}) {
      CHECK(as_json({"ip", "-j", version, "neigh", "show", "nud", "permanent"}, q).size() == 1);
    }
  }
}

TEST_CASE("pool resize: over another pool or beyond its prefix it is refused and nothing changes") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, usual(AddressMode::anyip));
  make_pool(scene.a, ranged("q", AddressMode::anyip, "10.1.0.0/24 10.1.0.20-10.1.0.23",
                            "fd00:1::/64 fd00:1::14-fd00:1::17"));
  const ResizeSpec wide{.count = {},
                        .blocks = {block("10.1.0.0/24 10.1.0.8-10.1.0.20"),
                                   block("fd00:1::/64 fd00:1::8-fd00:1::14")}};
  const auto overlapping = scene.a.resize_pool("p", wide);
  REQUIRE_FALSE(overlapping);
  CHECK(overlapping.error().kind() == Errc::conflict);
  const auto too_many = scene.a.resize_pool("p", to_count(9));
  REQUIRE_FALSE(too_many);
  CHECK(too_many.error().kind() == Errc::invalid_argument);
  const auto none = scene.a.resize_pool("p", to_count(0));
  REQUIRE_FALSE(none);
  CHECK(none.error().kind() == Errc::invalid_argument);
  const auto unknown = scene.a.resize_pool("nobody", to_count(1));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().kind() == Errc::not_found);
  check_ready(scene.a, 8);
}

TEST_CASE("pool resize: a larger pool hands out what it gained") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec spec = usual(AddressMode::secondary);
  spec.count = 2;
  make_pool(scene.a, spec);
  must(scene.a.lease(wish("p", "c", 2)));
  CHECK_FALSE(scene.a.lease(wish("p", "d")));
  must(scene.a.resize_pool("p", to_count(3)));
  const auto gained = must(scene.a.lease(wish("p", "d")));
  CHECK(gained.front().endpoint.v4 == ip("10.1.0.10"));
}

}  // namespace particle::test
