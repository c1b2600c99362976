// SPDX-License-Identifier: Apache-2.0
// kill -9 after every step of every operation. Then either the same command again, or gc, must end
// in a state that is exactly the one before or the one after; and deleting all leaves nothing.
#include "pool_crash_support.hpp"

namespace particle::test {
namespace {

/// An operation with what must be there before it, and what counts as success of its repetition.
struct Scenario {
  std::function<void(const World&)> prepare = [](const World&) {};
  std::function<Operation(const World&)> operation;
  /// Repeated after a kill at the very end, the thing is gone already, or (a lease) there twice.
  bool repeat_may_find_nothing = false;
};

/// The state that `scenario` is in before and after its operation, uninterrupted.
struct Expected {
  std::string before;
  std::string after;
  std::size_t steps = 0;
};

Expected rehearse(const Scenario& scenario, const NetNs& home) {
  Expected expected;
  const World world(home);
  scenario.prepare(world);
  expected.before = settled([&] { return world.state(); });
  ApplyOptions options;
  options.after_step = [&](std::size_t, std::size_t steps, const Step&) { expected.steps = steps; };
  must(scenario.operation(world)(world.node, options));
  expected.after = settled([&] { return world.state(); });
  world.check_clean_after_delete_all();
  return expected;
}

void repeat_after_kill(const Scenario& scenario, const Expected& expected, const NetNs& home,
                       std::size_t k) {
  const World world(home);
  scenario.prepare(world);
  const ChildEnd end = kill_after_step(world.node, scenario.operation(world), k);
  INFO(end.said);
  REQUIRE(end.killed);
  CHECK(end.steps == expected.steps);
  const auto again = scenario.operation(world)(world.node, {});
  if (!again) {
    INFO((again.error().message() + "\n" + said(again.error().details)));
    CHECK((scenario.repeat_may_find_nothing && again.error().kind() == Errc::not_found));
  }
  CHECK(settle([&] { return world.state(); }, {expected.after}) == expected.after);
  world.check_clean_after_delete_all();
}

void collect_after_kill(const Scenario& scenario, const Expected& expected, const NetNs& home,
                        std::size_t k) {
  const World world(home);
  scenario.prepare(world);
  REQUIRE(kill_after_step(world.node, scenario.operation(world), k).killed);
  GcOptions rehearsal;
  rehearsal.dry_run = true;
  const std::string untouched = list_files(world.dir.path(), true);
  const std::string announced = words(must(world.node.collect_garbage(rehearsal)));
  CHECK(list_files(world.dir.path(), true) == untouched);
  const std::string found = words(must(world.node.collect_garbage()));
  CHECK(found == announced);
  INFO(found);
  const std::string state =
      settle([&] { return world.state(); }, {expected.before, expected.after});
  if (state != expected.before) CHECK(state == expected.after);
  CHECK(words(must(world.node.collect_garbage())) == "");
  world.check_clean_after_delete_all();
}

/// Kills at step 1, 2, ... until the operation ends by itself.
void survive_kills(const Scenario& scenario, const NetNs& home) {
  const Expected expected = rehearse(scenario, home);
  REQUIRE(expected.steps > 0);
  CHECK(expected.before != expected.after);
  for (std::size_t k = 1; k <= expected.steps; ++k) {
    CAPTURE(k);
    repeat_after_kill(scenario, expected, home, k);
    collect_after_kill(scenario, expected, home, k);
  }
  const World world(home);
  scenario.prepare(world);
  const ChildEnd end = kill_after_step(world.node, scenario.operation(world), expected.steps + 1);
  CHECK_FALSE(end.killed);
  CHECK(end.succeeded);
  CHECK(end.steps == expected.steps);
  CHECK(settle([&] { return world.state(); }, {expected.after}) == expected.after);
  world.check_clean_after_delete_all();
}

PoolSpec dual(const World& world, const std::string& name, AddressMode mode,
              Isolation isolation = Isolation::tenant, Attachment attachment = Attachment::veth) {
  PoolSpec spec =
      pool_spec(name, "acme", world.vni,
                {"10.1.0.0/24 10.1.0.10-10.1.0.17", "fd00:1::/64 fd00:1::10-fd00:1::17"});
  spec.mode = mode;
  spec.isolation = isolation;
  spec.attachment = attachment;
  return spec;
}

PoolSpec sibling(const World& world) {
  return pool_spec("sibling", "acme", world.vni,
                   {"10.1.0.0/24 10.1.0.100-10.1.0.103", "fd00:1::/64 fd00:1::100-fd00:1::103"});
}

Peer far_away(const char* prefix4 = "10.2.0.0/24", const char* prefix6 = "fd00:2::/64") {
  return {
      "acme", ip("192.0.2.2"), must(Mac::parse("02:00:00:00:00:07")), {net(prefix4), net(prefix6)}};
}

void lease_one(const World& world, const std::string& pool, const std::string& holder) {
  must(world.node.lease(
      {.pool = pool, .holder = holder, .count = 1, .address = {}, .process = {}, .wait = 0ms}));
}

Scenario creation(AddressMode mode, Isolation isolation, bool with_company,
                  Attachment attachment = Attachment::veth) {
  Scenario scenario;
  if (with_company) {
    scenario.prepare = [](const World& world) {
      must(world.node.create_pool(sibling(world)));
      must(world.node.add_peer(far_away()));
      lease_one(world, "sibling", "c1");
    };
  }
  scenario.operation = [=](const World& world) -> Operation {
    const PoolSpec spec = dual(world, "pool", mode, isolation, attachment);
    return [spec](const Node& node, const ApplyOptions& options) {
      return only_status(node.create_pool(spec, options));
    };
  };
  return scenario;
}

Scenario resizing(AddressMode mode, std::uint64_t from, std::uint64_t to,
                  Attachment attachment = Attachment::veth) {
  Scenario scenario;
  scenario.prepare = [=](const World& world) {
    if (attachment == Attachment::veth) must(world.node.create_pool(sibling(world)));
    PoolSpec spec = dual(world, "pool", mode, Isolation::tenant, attachment);
    spec.count = from;
    must(world.node.create_pool(spec));
    lease_one(world, "pool", "c1");
  };
  scenario.operation = [=](const World&) -> Operation {
    return [to](const Node& node, const ApplyOptions& options) {
      ResizeSpec wish;
      wish.count = to;
      return only_status(node.resize_pool("pool", wish, options));
    };
  };
  return scenario;
}

Scenario deletion(Isolation isolation, bool last, Attachment attachment = Attachment::veth) {
  Scenario scenario;
  scenario.repeat_may_find_nothing = true;
  scenario.prepare = [=](const World& world) {
    if (!last) must(world.node.create_pool(sibling(world)));
    must(
        world.node.create_pool(dual(world, "pool", AddressMode::secondary, isolation, attachment)));
    must(world.node.add_peer(far_away()));
    lease_one(world, "pool", "c1");
  };
  scenario.operation = [](const World&) -> Operation {
    return [](const Node& node, const ApplyOptions& options) {
      return only_status(node.delete_pool("pool", true, options));
    };
  };
  return scenario;
}

}  // namespace

TEST_CASE("crash: a new tenant's create is killed after every step, mode secondary") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(creation(AddressMode::secondary, Isolation::tenant, false), nodes.a);
}

TEST_CASE("crash: a new tenant's create is killed after every step, mode anyip") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(creation(AddressMode::anyip, Isolation::tenant, false), nodes.a);
}

TEST_CASE("crash: a create of isolation job is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(creation(AddressMode::anyip, Isolation::job, true), nodes.a);
}

TEST_CASE("crash: a create of isolation container is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(creation(AddressMode::automatic, Isolation::container, false), nodes.a);
}

TEST_CASE("crash: a create of attachment direct is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const AddressMode mode : kModes)
    survive_kills(creation(mode, Isolation::tenant, false, Attachment::direct), nodes.a);
}

TEST_CASE("crash: resizes of attachment direct are killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(resizing(AddressMode::secondary, 3, 8, Attachment::direct), nodes.a);
  survive_kills(resizing(AddressMode::anyip, 8, 3, Attachment::direct), nodes.a);
}

TEST_CASE("crash: the delete of a pool of attachment direct is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(deletion(Isolation::tenant, true, Attachment::direct), nodes.a);
}

TEST_CASE("crash: a create beside a sibling and a peer is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(creation(AddressMode::secondary, Isolation::tenant, true), nodes.a);
  survive_kills(creation(AddressMode::anyip, Isolation::tenant, true), nodes.a);
}

TEST_CASE("crash: a growing resize is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(resizing(AddressMode::secondary, 3, 8), nodes.a);
  survive_kills(resizing(AddressMode::anyip, 3, 8), nodes.a);
}

TEST_CASE("crash: a shrinking resize is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(resizing(AddressMode::secondary, 8, 3), nodes.a);
  survive_kills(resizing(AddressMode::anyip, 8, 3), nodes.a);
}

TEST_CASE("crash: after a resize that was cut off, the create of before takes it back") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const std::uint64_t to : {8U, 3U}) {
    const std::uint64_t from = to == 8 ? 3 : 8;
    const Scenario scenario = resizing(AddressMode::secondary, from, to);
    const Expected expected = rehearse(scenario, nodes.a);
    for (std::size_t k = 1; k < expected.steps; ++k) {
      CAPTURE(to);
      CAPTURE(k);
      const World world(nodes.a);
      scenario.prepare(world);
      REQUIRE(kill_after_step(world.node, scenario.operation(world), k).killed);
      PoolSpec spec = dual(world, "pool", AddressMode::secondary);
      spec.count = from;
      CHECK(must(world.node.create_pool(spec)).outcome.changed);
      CHECK(settle([&] { return world.state(); }, {expected.before}) == expected.before);
      CHECK_FALSE(must(world.node.create_pool(spec)).outcome.changed);
      world.check_clean_after_delete_all();
    }
  }
}

TEST_CASE("crash: the delete of a tenant's last pool is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(deletion(Isolation::tenant, true), nodes.a);
  survive_kills(deletion(Isolation::container, true), nodes.a);
}

TEST_CASE("crash: the delete of a pool with a sibling is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  survive_kills(deletion(Isolation::tenant, false), nodes.a);
  survive_kills(deletion(Isolation::container, false), nodes.a);
}

TEST_CASE("crash: add_peer is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  Scenario scenario;
  scenario.prepare = [](const World& world) {
    must(world.node.create_pool(sibling(world)));
    must(world.node.create_pool(dual(world, "pool", AddressMode::anyip)));
  };
  scenario.operation = [](const World&) -> Operation {
    return [](const Node& node, const ApplyOptions& options) {
      return only_status(node.add_peer(far_away(), options));
    };
  };
  survive_kills(scenario, nodes.a);
}

TEST_CASE("crash: add_peer with other prefixes for a known peer is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  Scenario scenario;
  scenario.prepare = [](const World& world) {
    must(world.node.create_pool(dual(world, "pool", AddressMode::anyip)));
    must(world.node.add_peer(far_away("10.9.0.0/24", "fd00:9::/64")));
  };
  scenario.operation = [](const World&) -> Operation {
    return [](const Node& node, const ApplyOptions& options) {
      return only_status(node.add_peer(far_away(), options));
    };
  };
  survive_kills(scenario, nodes.a);
}

TEST_CASE("crash: remove_peer is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  Scenario scenario;
  scenario.repeat_may_find_nothing = true;
  scenario.prepare = [](const World& world) {
    must(world.node.create_pool(sibling(world)));
    must(world.node.create_pool(dual(world, "pool", AddressMode::secondary)));
    must(world.node.add_peer(far_away()));
  };
  scenario.operation = [](const World&) -> Operation {
    return [](const Node& node, const ApplyOptions& options) {
      return only_status(node.remove_peer("acme", ip("192.0.2.2"), options));
    };
  };
  survive_kills(scenario, nodes.a);
}

TEST_CASE("crash: a lease of isolation container is killed after every step") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  Scenario scenario;
  scenario.prepare = [](const World& world) {
    must(world.node.create_pool(dual(world, "pool", AddressMode::automatic, Isolation::container)));
  };
  scenario.operation = [](const World&) -> Operation {
    return [](const Node& node, const ApplyOptions& options) {
      return only_status(node.lease({.pool = "pool",
                                     .holder = "c1",
                                     .count = 1,
                                     .address = ip("10.1.0.12"),
                                     .process = {},
                                     .wait = 0ms},
                                    options));
    };
  };
  survive_kills(scenario, nodes.a);
}

TEST_CASE("crash: a create that was cut off does not decide the next one's underlay and VNI") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  run_ok({"ip", "addr", "add", "198.51.100.1/24", "dev", "underlay"}, nodes.a);
  for (std::size_t k = 1; k <= 10; ++k) {
    CAPTURE(k);
    const World world(nodes.a);
    PoolSpec first = dual(world, "first", AddressMode::anyip);
    first.underlay.address = ip("192.0.2.1");
    first.vni = must(Vni::from(world.vni + 1000000));
    const ChildEnd end = kill_after_step(
        world.node,
        [&](const Node& node, const ApplyOptions& options) {
          return only_status(node.create_pool(first, options));
        },
        k);
    REQUIRE(end.killed);
    PoolSpec second = dual(world, "second", AddressMode::anyip);
    second.underlay.address = ip("198.51.100.1");
    const auto made = world.node.create_pool(second);
    if (!made) {
      // Only once the cut-off create had its VTEP whole: then it is the tenant's.
      INFO(made.error().message());
      CHECK(made.error().kind() == Errc::conflict);
      CHECK(k >= 9);
      must(world.node.collect_garbage());
      must(world.node.create_pool(second));
    }
    must(world.node.collect_garbage());
    const PoolInfo info = must(world.node.inspect_pool("second"));
    CHECK(info.health == PoolHealth::ready);
    CHECK(info.vtep == ip("198.51.100.1"));
    const auto links = as_json({"ip", "-j", "-d", "link", "show", "type", "vxlan"},
                               must(world.node.open_vtep_netns("acme")));
    REQUIRE(links.size() == 1);
    CHECK(links[0]["linkinfo"]["info_data"]["local"] == "198.51.100.1");
    CHECK(links[0]["linkinfo"]["info_data"]["id"] == world.vni);
    CHECK(std::filesystem::is_empty(world.node.directory() + "/vnis") == false);
    CHECK_FALSE(std::filesystem::is_symlink(world.node.directory() + "/vnis/" +
                                            std::to_string(world.vni + 1000000)));
    world.check_clean_after_delete_all();
  }
}

TEST_CASE("crash: a create in a tenant whose last delete was cut off makes the VTEP again") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (std::size_t k = 1; k <= 9; ++k) {
    CAPTURE(k);
    const World world(nodes.a);
    must(world.node.create_pool(dual(world, "pool", AddressMode::anyip)));
    const ChildEnd end = kill_after_step(
        world.node,
        [&](const Node& node, const ApplyOptions& options) {
          return only_status(node.delete_pool("pool", false, options));
        },
        k);
    if (!end.killed) break;
    const auto made = world.node.create_pool(sibling(world));
    INFO((made ? std::string() : made.error().message()));
    CHECK(made.has_value());
    must(world.node.collect_garbage());
    CHECK(said(must(world.node.inspect_pool("sibling")).problems) == "");
    world.check_clean_after_delete_all();
  }
}

}  // namespace particle::test
