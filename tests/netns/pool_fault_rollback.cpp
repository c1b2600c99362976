// SPDX-License-Identifier: Apache-2.0
// Creates that fail: one clear error of the right kind, and nothing changed, whatever the cause and
// wherever it strikes.
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <stop_token>

#include "pool_crash_support.hpp"
#include "support/fd_leak.hpp"
#include "support/skip.hpp"

namespace particle::test {
namespace {

PoolSpec dual(std::uint64_t vni, const std::string& name, const std::string& tenant,
              AddressMode mode = AddressMode::secondary) {
  PoolSpec spec = pool_spec(
      name, tenant, vni, {"10.1.0.0/24 10.1.0.10-10.1.0.17", "fd00:1::/64 fd00:1::10-fd00:1::17"});
  spec.mode = mode;
  return spec;
}

PoolSpec company(std::uint64_t vni) {
  return pool_spec("sibling", "acme", vni,
                   {"10.1.0.0/24 10.1.0.100-10.1.0.103", "fd00:1::/64 fd00:1::100-fd00:1::103"});
}

Peer far_away_peer(const char* prefix = "10.2.0.0/24") {
  return {"acme", ip("192.0.2.2"), must(Mac::parse("02:00:00:00:00:07")), {net(prefix)}};
}

/// Everything: files with their contents, and the kernel.
std::string everything(const World& world) {
  return world.state() + list_files(world.dir.path(), true) + describe_netns(world.netns);
}

/// The operation must fail so, and leave everything as it was.
void refuses(const World& world, const Operation& operation, Errc expected,
             const std::string& about = {}, const ApplyOptions& options = {}) {
  const std::string before = settled([&] { return everything(world); });
  const FdLeak fds;
  const auto done = operation(world.node, options);
  REQUIRE_FALSE(done.has_value());
  INFO((done.error().message() + "\n" + said(done.error().details)));
  CHECK(done.error().kind() == expected);
  CHECK(done.error().message().find(about) != std::string::npos);
  CHECK(done.error().message().find('\n') == std::string::npos);
  CHECK(said(done.error().details).find("could not be undone") == std::string::npos);
  CHECK(fds.leaked() == std::vector<std::string>{});
  CHECK(settle([&] { return everything(world); }, {before}) == before);
}

Operation creation(const PoolSpec& spec) {
  return [spec](const Node& node, const ApplyOptions& options) {
    return only_status(node.create_pool(spec, options));
  };
}

/// Cancels after step k, for every k that leaves a step to cancel.
void survives_cancelling(const World& world, const Operation& operation) {
  for (std::size_t k = 1;; ++k) {
    CAPTURE(k);
    std::stop_source source;
    std::size_t total = 0;
    ApplyOptions options;
    options.stop = source.get_token();
    options.after_step = [&](std::size_t step, std::size_t steps, const Step&) {
      total = steps;
      if (step == k) source.request_stop();
    };
    if (k > 1 && total == 0) total = k + 1;
    const std::string before = settled([&] { return everything(world); });
    const auto done = operation(world.node, options);
    if (done) {
      CHECK(k >= total);
      return;
    }
    INFO((done.error().message() + "\n" + said(done.error().details)));
    CHECK(done.error().kind() == Errc::interrupted);
    CHECK(said(done.error().details) == "");
    CHECK(settle([&] { return everything(world); }, {before}) == before);
  }
}

/// What a create in a child process said.
ChildEnd create_in_child(const World& world, const PoolSpec& spec,
                         const std::function<bool()>& first) {
  return in_child([&](const SharedNote& note) {
    if (!first()) {
      note.write("cannot prepare");
      return false;
    }
    const auto made = world.node.create_pool(spec);
    if (!made) {
      note.write(std::to_string(static_cast<int>(made.error().kind())) + " " +
                 made.error().message() + " | " + said(made.error().details));
    }
    return made.has_value();
  });
}

std::string kind_text(Errc kind) {
  return std::to_string(static_cast<int>(kind)) + " ";
}

}  // namespace

TEST_CASE("rollback: a create cancelled after any step leaves everything as before") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const auto mode : {AddressMode::secondary, AddressMode::anyip}) {
    const World alone(nodes.a);
    survives_cancelling(alone, creation(dual(alone.vni, "pool", "acme", mode)));
    alone.check_clean_after_delete_all();
    const World beside(nodes.a);
    must(beside.node.create_pool(company(beside.vni)));
    must(beside.node.add_peer(far_away_peer()));
    survives_cancelling(beside, creation(dual(beside.vni, "pool", "acme", mode)));
    beside.check_clean_after_delete_all();
  }
}

TEST_CASE("rollback: a create cancelled before it begins leaves no run directory") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const TempRunDir dir;
  const Node node = open_node(nodes.a, dir.file("deep/run"));
  std::stop_source source;
  source.request_stop();
  ApplyOptions options;
  options.stop = source.get_token();
  CHECK(node.create_pool(dual(7200001, "pool", "acme"), options).error().kind() ==
        Errc::interrupted);
  CHECK_FALSE(std::filesystem::exists(dir.file("deep/run")));
}

TEST_CASE("rollback: a resize cancelled after any step leaves everything as before") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const auto mode : {AddressMode::secondary, AddressMode::anyip}) {
    for (const std::uint64_t to : {3U, 8U}) {
      const World world(nodes.a);
      must(world.node.create_pool(company(world.vni)));
      PoolSpec spec = dual(world.vni, "pool", "acme", mode);
      spec.count = 11 - to;
      must(world.node.create_pool(spec));
      survives_cancelling(world, [to](const Node& node, const ApplyOptions& options) {
        ResizeSpec wish;
        wish.count = to;
        return only_status(node.resize_pool("pool", wish, options));
      });
      CHECK(must(world.node.inspect_pool("pool")).capacity == to);
      world.check_clean_after_delete_all();
    }
  }
}

TEST_CASE("rollback: a change of peers cancelled after any step leaves everything as before") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(company(world.vni)));
  must(world.node.create_pool(dual(world.vni, "pool", "acme")));
  const auto add = [](const char* prefix) -> Operation {
    return [prefix](const Node& node, const ApplyOptions& options) {
      return only_status(node.add_peer(far_away_peer(prefix), options));
    };
  };
  survives_cancelling(world, add("10.2.0.0/24"));
  survives_cancelling(world, add("10.3.0.0/24"));  // the known peer with another prefix
  survives_cancelling(world, [](const Node& node, const ApplyOptions& options) {
    return only_status(node.remove_peer("acme", ip("192.0.2.2"), options));
  });
  CHECK(must(world.node.list_peers()).empty());
  world.check_clean_after_delete_all();
}

TEST_CASE("rollback: a lease of isolation container cancelled after any step is not held") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  PoolSpec spec = dual(world.vni, "pool", "acme", AddressMode::automatic);
  spec.isolation = Isolation::container;
  must(world.node.create_pool(spec));
  const auto take = [](const std::string& holder) -> Operation {
    return [holder](const Node& node, const ApplyOptions& options) {
      return only_status(node.lease(
          {.pool = "pool", .holder = holder, .count = 1, .address = {}, .process = {}, .wait = 0ms},
          options));
    };
  };
  must(take("first")(world.node, {}));
  survives_cancelling(world, take("second"));
  CHECK(must(world.node.leases()).size() == 2);
  world.check_clean_after_delete_all();
}

TEST_CASE("refusal: names, VNIs and addresses that are taken") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(dual(world.vni, "pool", "acme")));
  must(world.node.add_peer(far_away_peer()));
  refuses(world, creation(dual(world.vni + 5000, "pool", "other")), Errc::already_exists,
          "of tenant acme");
  refuses(world, creation(dual(world.vni, "mine", "other")), Errc::conflict,
          "belongs to tenant acme");
  refuses(world, creation(dual(world.vni + 5000, "second", "acme")), Errc::conflict, "has VNI");
  refuses(world, creation(dual(world.vni, "second", "acme")), Errc::conflict, "overlaps");
  refuses(world, creation(pool_spec("second", "acme", world.vni, {"10.2.0.128/25"})),
          Errc::conflict, "peer 192.0.2.2");
  PoolSpec changed = dual(world.vni, "pool", "acme");
  changed.count = 3;
  refuses(world, creation(changed), Errc::conflict, "another spec");
  PoolSpec invalid = dual(world.vni, "a/b", "acme");
  refuses(world, creation(invalid), Errc::invalid_argument);
  world.check_clean_after_delete_all();
}

TEST_CASE("refusal: two tenants that race for a VNI or a name") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const bool same_vni : {true, false}) {
    CAPTURE(same_vni);
    const World world(nodes.a);
    const PoolSpec winner = dual(world.vni, same_vni ? "first" : "pool", "winner");
    const PoolSpec late = dual(world.vni + (same_vni ? 0 : 5000), "pool", "loser");
    // Past its first look the later one meets what the other did since. For the VNI that is too
    // late; the name it has taken already, and the other waits with tidying up until it has ended.
    std::thread other;
    std::optional<Result<CreateResult>> won;
    ApplyOptions options;
    options.after_step = [&](std::size_t step, std::size_t, const Step&) {
      if (step != (same_vni ? 2U : 1U)) return;
      other = std::thread([&] { won = world.node.create_pool(winner); });
      if (same_vni) other.join();
    };
    const auto made = world.node.create_pool(late, options);
    if (other.joinable()) other.join();
    REQUIRE(won.has_value());
    CHECK(won->has_value() == same_vni);
    CHECK(made.has_value() == !same_vni);
    if (!*won) CHECK(won->error().kind() == Errc::already_exists);
    if (!made) {
      CHECK(made.error().kind() == Errc::conflict);
      CHECK(made.error().message().find("belongs to tenant winner") != std::string::npos);
    }
    CHECK(must(world.node.list_pools()).size() == 1);
    CHECK(words(must(world.node.collect_garbage())) == "");
    world.check_clean_after_delete_all();
  }
}

TEST_CASE("refusal: an underlay that is missing, down, bare or too small") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  PoolSpec spec = dual(world.vni, "pool", "acme");
  spec.underlay.device = "none";
  refuses(world, creation(spec), Errc::not_found, "none");
  spec.underlay = {{}, ip("203.0.113.9")};
  refuses(world, creation(spec), Errc::not_found, "203.0.113.9");
  spec.underlay = {kUnderlayDevice, {}};
  spec.mtu = must(Mtu::from(1451));
  refuses(world, creation(spec), Errc::invalid_argument, "1450");
  spec.mtu.reset();
  run_ok({"ip", "link", "set", kUnderlayDevice, "mtu", "1300"}, nodes.a);
  refuses(world, creation(spec), Errc::invalid_argument, "1280");
  run_ok({"ip", "link", "set", kUnderlayDevice, "mtu", "1500"}, nodes.a);
  run_ok({"ip", "link", "set", kUnderlayDevice, "down"}, nodes.a);
  refuses(world, creation(spec), Errc::invalid_argument, "is down");
  const NetNs empty = must(create_netns()).netns;
  const World lonely(empty);
  spec.underlay = {};
  refuses(lonely, creation(spec), Errc::invalid_argument, "no underlay");
  lonely.check_nothing_left();
}

TEST_CASE("refusal: a VNI that a device of somebody else has") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  run_ok({"ip", "link", "add", "foreign", "type", "vxlan", "id", world.vni_text(), "dstport",
          "4789", "local", "192.0.2.1"},
         nodes.a);
  refuses(world, creation(dual(world.vni, "pool", "acme")), Errc::already_exists, "File exists");
  run_ok({"ip", "link", "del", "foreign"}, nodes.a);
  must(world.node.create_pool(dual(world.vni, "pool", "acme")));
  world.check_clean_after_delete_all();
}

TEST_CASE("fault: a run directory that runs full at any point") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const TempRunDir dir;
  // One file more in each round, until everything fits.
  for (unsigned inodes = 2; inodes < 60; ++inodes) {
    CAPTURE(inodes);
    const std::string options = "size=64k,nr_inodes=" + std::to_string(inodes);
    REQUIRE(mount("tmpfs", dir.path().c_str(), "tmpfs", 0, options.c_str()) == 0);
    const Node node = open_node(nodes.a, dir.file("run"));
    const auto made = node.create_pool(dual(7200100 + inodes, "pool", "acme"));
    if (!made) {
      CHECK(made.error().kind() == Errc::exhausted);
      CHECK(said(made.error().details) == "");
      CHECK(list_files(dir.path(), false) == "");
    } else {
      CHECK(must(node.inspect_pool("pool")).health == PoolHealth::ready);
      CHECK(said(must(node.inspect_pool("pool")).problems) == "");
      must(node.delete_pool("pool"));
      CHECK(list_files(dir.path(), false) == "run/\n");
    }
    CHECK(mounts_below(dir.path()) == std::vector<std::string>{});
    REQUIRE(umount2(dir.path().c_str(), MNT_DETACH) == 0);
    if (made) {
      CHECK(inodes > 8);
      return;
    }
  }
  FAIL("never enough room");
}

TEST_CASE("fault: a run directory without a free block") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const TempRunDir dir;
  for (unsigned pages = 1; pages < 20; ++pages) {
    CAPTURE(pages);
    const std::string options = "size=" + std::to_string(4 * pages) + "k";
    REQUIRE(mount("tmpfs", dir.path().c_str(), "tmpfs", 0, options.c_str()) == 0);
    const Node node = open_node(nodes.a, dir.path());
    const auto made = node.create_pool(dual(7200200 + pages, "pool", "acme"));
    if (!made) {
      CHECK(made.error().kind() == Errc::exhausted);
      CHECK(list_files(dir.path(), false) == "");
    } else {
      const auto leased = node.lease(
          {.pool = "pool", .holder = "c1", .count = 1, .address = {}, .process = {}, .wait = 0ms});
      if (!leased) CHECK(leased.error().kind() == Errc::exhausted);
      const auto deleted = node.delete_pool("pool", true);
      INFO((deleted ? std::string() : deleted.error().message()));
      CHECK(deleted.has_value());
      CHECK(list_files(dir.path(), false) == "");
      if (leased) pages = 100;
    }
    CHECK(mounts_below(dir.path()) == std::vector<std::string>{});
    REQUIRE(umount2(dir.path().c_str(), MNT_DETACH) == 0);
  }
}

TEST_CASE("fault: a run directory that is read-only") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const TempRunDir dir;
  REQUIRE(mount("tmpfs", dir.path().c_str(), "tmpfs", MS_RDONLY, "size=64k") == 0);
  const Node node = open_node(nodes.a, dir.file("run"));
  const auto made = node.create_pool(dual(7200300, "pool", "acme"));
  REQUIRE_FALSE(made.has_value());
  CHECK((made.error().kind() == Errc::permission_denied || made.error().kind() == Errc::io));
  CHECK(made.error().hint.find("read-only") != std::string::npos);
  CHECK(node.list_pools()->empty());
  CHECK(words(must(node.collect_garbage())) == "");
}

TEST_CASE("fault: a run directory that is a file") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const TempRunDir dir;
  std::ofstream(dir.file("run")) << "x";
  const Node node = open_node(nodes.a, dir.file("run"));
  CHECK_FALSE(node.create_pool(dual(7200301, "pool", "acme")).has_value());
  CHECK(std::filesystem::is_regular_file(dir.file("run")));
}

TEST_CASE("fault: without capabilities one error says what is needed, and nothing is left") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  const ChildEnd end =
      create_in_child(world, dual(world.vni, "pool", "acme"), [] { return drop_capabilities(); });
  CAPTURE(end.said);
  CHECK_FALSE(end.succeeded);
  CHECK_FALSE(end.crashed);
  CHECK(end.said.starts_with(kind_text(Errc::permission_denied)));
  world.check_nothing_left();
}

TEST_CASE("fault: too few file descriptors, at any point") {
#ifdef __SANITIZE_ADDRESS__
  return skip("UBSan's vptr check needs descriptors of its own");
#endif
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  bool made_one = false;
  for (rlim_t spare = 1; spare < 40 && !made_one; ++spare) {
    CAPTURE(spare);
    const ChildEnd end = create_in_child(world, dual(world.vni, "pool", "acme"), [&] {
      const int used = dup(0);
      const rlimit limit{static_cast<rlim_t>(used) + spare, static_cast<rlim_t>(used) + spare};
      return close(used) == 0 && setrlimit(RLIMIT_NOFILE, &limit) == 0;
    });
    CAPTURE(end.said);
    CHECK_FALSE(end.crashed);
    made_one = end.succeeded;
    if (made_one) {
      CHECK(said(must(world.node.inspect_pool("pool")).problems) == "");
    } else {
      CHECK(end.said.starts_with(kind_text(Errc::exhausted)));
      CHECK(end.said.find("could not be undone") == std::string::npos);
      CHECK(list_files(world.dir.path(), false) == "");
      CHECK(mounts_below(world.dir.path()) == std::vector<std::string>{});
      must(world.node.collect_garbage());
    }
  }
  CHECK(made_one);
  world.check_clean_after_delete_all();
}

TEST_CASE("fault: no more network namespaces are allowed, at any point") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  for (int allowed = 0; allowed <= 3; ++allowed) {
    CAPTURE(allowed);
    const ChildEnd end = in_child([&](const SharedNote& note) {
      if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        note.write("skip");
        return true;
      }
      std::ofstream("/proc/self/setgroups") << "deny";
      std::ofstream("/proc/self/uid_map") << "0 0 1";
      std::ofstream("/proc/self/gid_map") << "0 0 1";
      const TwoNodes nodes = make_two_nodes();
      const Node node = open_node(nodes.a, dir.path());
      std::ofstream("/proc/sys/user/max_net_namespaces") << 2 + allowed;
      const auto made = node.create_pool(dual(7200400, "pool", "acme"));
      if (!made) {
        note.write(kind_text(made.error().kind()) + made.error().message());
        return list_files(dir.path(), false).empty();
      }
      note.write("made");
      return node.delete_pool("pool").has_value();
    });
    CAPTURE(end.said);
    if (end.said == "skip") return skip("needs a user namespace in which limits can be set");
    CHECK(end.succeeded);
    if (allowed < 2) {
      CHECK(end.said.starts_with(kind_text(Errc::exhausted)));
    } else {
      CHECK(end.said == "made");
    }
    CHECK(list_files(dir.path(), false) == "");
  }
}

}  // namespace particle::test
