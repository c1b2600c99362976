// SPDX-License-Identifier: Apache-2.0
// Steps of one namespace that go to the kernel as one batch: the same pool, and the same rollback, as
// step by step.
#include <doctest/doctest.h>

#include <algorithm>

#include "pool/apply.hpp"
#include "pool/record.hpp"
#include "pool_scene.hpp"

namespace particle::test {
namespace {

/// Addresses, routes and links in the pool's namespace, without what differs between two namespaces.
std::string contents(const Scene& scene, const std::string& pool) {
  const auto netns = must(scene.a.open_pool_netns(pool));
  return as_json({"ip", "-j", "-4", "route", "show", "table", "all"}, netns).dump() +
         as_json({"ip", "-j", "addr", "show"}, netns).dump();
}

Step raise_lo(const Place& place) {
  LinkChange up;
  up.index = kLoopbackIndex;
  up.up = true;
  return {.name = "test.up",
          .stage = Stage::s5_attach,
          .what = "raise lo",
          .action = Configure{place, {{up, Verb::replace, {}}}, false},
          .undo = {}};
}

Step add_address(const Place& place, const char* address) {
  const AddrRange range{kLoopbackIndex, must(IpRange::make(ip(address), ip(address)))};
  return {.name = "test.address",
          .stage = Stage::s6_addresses,
          .what = address,
          .action = Configure{place, {{range, Verb::create, {}}}, false},
          .undo = {Configure{place, {{range, Verb::remove, {}}}, true}}};
}

}  // namespace

TEST_CASE("batch: a pool is the same however its steps went to the kernel") {
  if (!need_namespaces()) return;
  const Scene scene;
  const PoolSpec spec = pool_spec("web", "acme", 7, {"10.1.0.0/24 10.1.0.1-10.1.0.4"});
  const auto at_once = must(scene.a.create_pool(spec));
  const std::string batched = contents(scene, "web");
  must(scene.a.delete_pool("web"));
  ApplyOptions options;
  options.step_by_step = true;
  const auto singly = must(scene.a.create_pool(spec, options));

  const auto without_time = [](const StepTime& step) { return step.took.count() == 0; };
  CHECK(std::ranges::none_of(singly.outcome.steps, without_time));
  CHECK(std::ranges::any_of(at_once.outcome.steps, without_time));
  CHECK(at_once.outcome.steps.size() >= singly.outcome.steps.size());
  CHECK_FALSE(without_time(at_once.outcome.steps.back()));
  // All that two namespaces of one pool may differ in is the index of the veth's other end.
  const auto normal = [](std::string text) {
    const std::string key = "\"link_index\":";
    const auto at = text.find(key);
    if (at != std::string::npos) text.erase(at, text.find(',', at) - at);
    return text;
  };
  CHECK(normal(contents(scene, "web")) == normal(batched));
}

TEST_CASE("batch: when one of its steps is refused, all of them are undone") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(pool_spec("web", "acme", 7, {"10.1.0.0/24"})));
  const auto node = must(must(scene.a.open_pool_netns("web")).duplicate());
  const Layout layout(scene.a.directory());
  const detail::MountHome home;
  Places places(node, layout, home, "acme");
  const Place pool = Place::of_pool("web");
  Plan plan;
  // The second is there already; the kernel carries out the third nevertheless.
  plan.steps = {raise_lo(pool), add_address(pool, "192.0.2.1"), add_address(pool, "192.0.2.1"),
                add_address(pool, "192.0.2.2")};
  const std::string before = contents(scene, "web");
  const auto done = apply(plan, places, {});
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().kind() == Errc::already_exists);
  CHECK(done.error().message().find("192.0.2.1") != std::string::npos);
  CHECK(contents(scene, "web") == before);
}

}  // namespace particle::test
