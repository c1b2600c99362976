// SPDX-License-Identifier: Apache-2.0
// What gc finds: nodes that are gone, records that cannot be read, leases without a holder, files
// and devices that nobody answers for.
#include "pool_crash_support.hpp"

namespace particle::test {
namespace {

PoolSpec plain(const World& world, const std::string& name, const std::string& prefix,
               Isolation isolation = Isolation::tenant) {
  PoolSpec spec = pool_spec(name, "acme", world.vni, {});
  spec.blocks.push_back(block(prefix));
  spec.isolation = isolation;
  spec.cooldown = 0ms;
  return spec;
}

std::vector<Lease> take_leases(const Node& node, const std::string& pool, const std::string& holder,
                               std::optional<pid_t> process = {}) {
  return must(node.lease({.pool = pool,
                          .holder = holder,
                          .count = 1,
                          .address = {},
                          .process = process,
                          .wait = 0ms}));
}

/// gc must announce what it then does, and find nothing the second time. Returns its findings.
std::vector<GcFinding> collect(const Node& node, const GcOptions& options = {}) {
  GcOptions rehearsal = options;
  rehearsal.dry_run = true;
  const std::string before = list_files(node.run_dir(), true);
  const std::string announced = words(must(node.collect_garbage(rehearsal)));
  CHECK(list_files(node.run_dir(), true) == before);
  auto found = must(node.collect_garbage(options));
  CHECK(words(found) == announced);
  return found;
}

std::size_t count(const std::vector<GcFinding>& findings, GcAction action,
                  const std::string& object) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [&](const GcFinding& f) {
        return f.action == action && f.object.find(object) != std::string::npos;
      }));
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

std::string pool_file(const World& world, const std::string& pool, const std::string& file) {
  return world.node.directory() + "/pools/" + pool + "/" + file;
}

std::string tenant_file(const World& world, const std::string& file) {
  return world.node.directory() + "/tenants/acme/" + file;
}

/// A process that lives in `netns` until it is let go.
Command resident(const NetNs& netns) {
  return Command({"sleep", "60"}, &netns);
}

constexpr const char* kBadRecords[] = {
    "", "{", "null", "[]", R"({"version": 1})", R"({"version": 99, "name": "pool"})", "\xff\xfe"};

}  // namespace

TEST_CASE("gc: on a node without pools it finds nothing and makes nothing") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  CHECK(words(collect(world.node)) == "");
  world.check_nothing_left();
}

TEST_CASE("gc: a healthy node with pools, peers and leases is left alone") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  must(world.node.create_pool(plain(world, "boxed", "10.1.1.0/28", Isolation::container)));
  take_leases(world.node, "pool", "c1", getpid());
  take_leases(world.node, "boxed", "c2");
  const std::string before = world.state();
  CHECK(words(collect(world.node)) == "");
  CHECK(world.state() == before);
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: a node whose namespace is gone is removed by gc in another node") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  TwoNodes nodes = make_two_nodes();
  const Node alive = open_node(nodes.b, dir.path());
  must(alive.create_pool(pool_spec("kept", "acme", 7100001, {"10.1.0.0/28"})));
  std::string gone;
  {
    NetNs home = must(create_netns()).netns;
    run_ok({"ip", "link", "set", "lo", "up"}, home);
    const Node node = open_node(home, dir.path());
    PoolSpec spec = pool_spec("lost", "acme", 7100002, {"10.1.0.0/28", "fd00:1::/64"});
    spec.underlay.device = "lo";
    must(node.create_pool(spec));
    spec.name = "boxed";
    spec.blocks = {block("10.2.0.0/28")};
    spec.isolation = Isolation::container;
    must(node.create_pool(spec));
    take_leases(node, "boxed", "c1");
    gone = node.directory();
    CHECK(words(must(alive.collect_garbage())) == "");
  }
  settle(
      [&] {
        return words(must(alive.collect_garbage({.dry_run = true, .holder_alive = {}}))).empty()
                   ? std::string("lives")
                   : std::string("gone");
      },
      {"gone"}, 5s);
  const auto found = collect(alive);
  CHECK(count(found, GcAction::removed, "node ") == 1);
  CHECK_FALSE(std::filesystem::exists(gone));
  CHECK(mounts_below(gone) == std::vector<std::string>{});
  CHECK(must(alive.inspect_pool("kept")).health == PoolHealth::ready);
  must(alive.delete_pool("kept"));
  CHECK(list_files(dir.path(), false) == "");
}

TEST_CASE("gc: a live node whose VTEP was cut off at any step is not taken for a dead one") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  const Node other = open_node(nodes.b, world.dir.path());
  PoolSpec spec = plain(world, "pool", "10.1.0.0/28");
  spec.tenant = "zeta";
  must(world.node.create_pool(spec));
  PoolSpec half = pool_spec("half", "alpha", world.vni + 100000, {"10.1.0.0/28"});
  const std::size_t steps = must(world.node.plan_create(half)).steps.size();
  for (std::size_t k = 1; k < steps; ++k) {
    CAPTURE(k);
    const ChildEnd end = kill_after_step(
        world.node,
        [&](const Node& node, const ApplyOptions& options) {
          return only_status(node.create_pool(half, options));
        },
        k);
    REQUIRE(end.killed);
    CHECK(words(must(other.collect_garbage())) == "");
    CHECK(must(world.node.inspect_pool("pool")).health == PoolHealth::ready);
  }
  must(world.node.collect_garbage());
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: a node directory of an earlier boot is removed") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  take_leases(world.node, "pool", "c1");
  // A reboot leaves the files and takes the mounts.
  const std::string mine = world.node.directory();
  const std::string old = world.dir.file("node-00000000-4711");
  for (const char* directory : {"/pools/pool", "/tenants/acme/pools", "/vnis"}) {
    std::filesystem::create_directories(old + directory);
  }
  for (const char* file : {"/pools/pool/pool.json", "/tenants/acme/tenant.json", "/leases.db"}) {
    std::filesystem::copy_file(mine + file, old + file);
  }
  write_text(old + "/pools/pool/netns", "");
  write_text(old + "/tenants/acme/vtep", "");
  std::filesystem::create_symlink("../../../pools/pool", old + "/tenants/acme/pools/pool");
  std::filesystem::create_symlink("../tenants/acme", old + "/vnis/7");
  const auto found = collect(world.node);
  CHECK(words(found) == "removed node 00000000-4711: it is of an earlier boot\n");
  CHECK_FALSE(std::filesystem::exists(old));
  CHECK(must(world.node.inspect_pool("pool")).health == PoolHealth::ready);
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: what is not Particle's stays where it is") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  write_text(world.dir.file("notes.txt"), "mine");
  std::filesystem::create_directories(world.dir.file("node-00000000-1/precious/deep"));
  write_text(world.dir.file("node-00000000-1/precious/deep/file"), "mine");
  const auto found = must(world.node.collect_garbage());
  CHECK(count(found, GcAction::kept, "node 00000000-1") == 1);
  CHECK(std::filesystem::exists(world.dir.file("notes.txt")));
  CHECK(std::filesystem::exists(world.dir.file("node-00000000-1/precious/deep/file")));
}

TEST_CASE("gc: a pool whose record cannot be read is removed when nobody holds a lease") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const char* content : kBadRecords) {
    CAPTURE(content);
    const World world(nodes.a);
    must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
    must(world.node.create_pool(plain(world, "sound", "10.1.1.0/28")));
    write_text(pool_file(world, "pool", "pool.json"), content);
    CHECK(world.node.inspect_pool("pool").error().kind() == Errc::corrupt_state);
    CHECK(must(world.node.list_pools()).size() == 2);
    const auto found = must(world.node.collect_garbage());
    CHECK(count(found, GcAction::removed, "pool pool") == 1);
    must(world.node.collect_garbage());
    const auto left = must(world.node.inspect_pool("sound"));
    CHECK(left.health == PoolHealth::ready);
    CHECK(said(left.problems) == "");
    must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
    world.check_clean_after_delete_all();
  }
}

TEST_CASE("gc: a pool whose record cannot be read is kept while a lease is held") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  take_leases(world.node, "pool", "c1");
  write_text(pool_file(world, "pool", "pool.json"), "{");
  const auto found = collect(world.node);
  CHECK(count(found, GcAction::kept, "pool pool") == 1);
  CHECK(count(found, GcAction::removed, "") == 0);
  CHECK(std::filesystem::exists(pool_file(world, "pool", "netns")));
  // As the finding says: only force takes it away.
  CHECK(world.node.delete_pool("pool").error().kind() == Errc::corrupt_state);
  const auto deleted = world.node.delete_pool("pool", true);
  INFO((deleted ? std::string() : deleted.error().message()));
  CHECK(deleted.has_value());
  must(world.node.collect_garbage());
  world.check_nothing_left();
}

TEST_CASE("gc: a record that names another pool is not believed") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  const std::string copy = world.node.directory() + "/pools/copy";
  std::filesystem::create_directory(copy);
  std::filesystem::copy_file(pool_file(world, "pool", "pool.json"), copy + "/removing.json");
  const auto found = must(world.node.collect_garbage());
  INFO(words(found));
  CHECK(must(world.node.inspect_pool("pool")).health == PoolHealth::ready);
  CHECK_FALSE(std::filesystem::exists(copy));
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: peers that cannot be read are forgotten, in the kernel too") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const char* content : kBadRecords) {
    CAPTURE(content);
    const World world(nodes.a);
    must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
    must(world.node.create_pool(plain(world, "sound", "10.1.1.0/28")));
    const std::string before = world.state();
    must(world.node.add_peer(
        {"acme", ip("192.0.2.2"), must(Mac::parse("02:00:00:00:00:07")), {net("10.2.0.0/24")}}));
    write_text(tenant_file(world, "peers.json"), content);
    const auto found = must(world.node.collect_garbage());
    CHECK(count(found, GcAction::removed, "peers") == 1);
    CHECK(world.state() == before);
    CHECK(words(must(world.node.collect_garbage())) == "");
    world.check_clean_after_delete_all();
  }
}

TEST_CASE("gc: a tenant whose record cannot be read is kept, and its pools can be deleted") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const char* content : kBadRecords) {
    CAPTURE(content);
    const World world(nodes.a);
    must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
    must(world.node.create_pool(plain(world, "other", "10.1.1.0/28")));
    write_text(tenant_file(world, "tenant.json"), content);
    const auto found = collect(world.node);
    CHECK(count(found, GcAction::kept, "tenant acme") + count(found, GcAction::kept, "pool ") > 0);
    CHECK(count(found, GcAction::removed, "") == 0);
    world.check_clean_after_delete_all();
  }
}

TEST_CASE("gc: a lease store that is no database is removed, and pools go on") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  take_leases(world.node, "pool", "c1");
  write_text(world.node.directory() + "/leases.db", std::string(8192, 'x'));
  CHECK(world.node.leases().error().kind() == Errc::corrupt_state);
  const auto found = collect(world.node);
  CHECK(count(found, GcAction::removed, "leases.db") == 1);
  CHECK(must(world.node.leases()).empty());
  take_leases(world.node, "pool", "c2");
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: a pool can be deleted by force although the lease store is no database") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  take_leases(world.node, "pool", "c1");
  write_text(world.node.directory() + "/leases.db", std::string(8192, 'x'));
  CHECK(world.node.delete_pool("pool").error().kind() == Errc::corrupt_state);
  CHECK(must(world.node.inspect_pool("pool")).health != PoolHealth::partial);
  must(world.node.collect_garbage());
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: files that were being written are removed") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  const std::string before = world.state();
  const std::string root = world.node.directory();
  std::filesystem::create_directory(root + "/pools/.new-0123");
  write_text(root + "/pools/.new-0123/intent.json", "{");
  write_text(root + "/pools/pool/.new-0123", "{");
  write_text(root + "/tenants/acme/.new-0123", "{");
  write_text(root + "/.new-0123", "{");
  CHECK(must(world.node.list_pools()).size() == 1);
  CHECK(collect(world.node).size() == 4);
  CHECK(world.state() == before);
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: dangling names and VNIs are removed") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  const std::string before = world.state();
  std::filesystem::create_symlink("../../../pools/ghost", tenant_file(world, "pools/ghost"));
  std::filesystem::create_symlink("../tenants/ghost", world.node.directory() + "/vnis/77");
  const auto found = collect(world.node);
  CHECK(count(found, GcAction::removed, "ghost") == 1);
  CHECK(count(found, GcAction::removed, "VNI 77") == 1);
  CHECK(world.state() == before);
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: a cut-off create that lost the race for a VNI does not take the winner's") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  PoolSpec late;
  // Killed after each step that comes before the VNI is reserved, with the winner done meanwhile.
  for (std::size_t k = 1; k <= 3; ++k) {
    CAPTURE(k);
    const World world(nodes.a);
    late = plain(world, "late", "10.1.0.0/28");
    late.tenant = "loser";
    const ChildEnd end = in_child([&](const SharedNote&) {
      ApplyOptions options;
      options.after_step = [&](std::size_t step, std::size_t, const Step&) {
        if (step != k) return;
        must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
        raise(SIGKILL);
      };
      return world.node.create_pool(late, options).has_value();
    });
    REQUIRE(end.killed);
    CHECK(words(must(world.node.collect_garbage())).find("removed pool late") != std::string::npos);
    CHECK(std::filesystem::is_symlink(world.node.directory() + "/vnis/" + world.vni_text()));
    const auto refused = world.node.create_pool(late);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind() == Errc::conflict);
    world.check_clean_after_delete_all();
  }
}

TEST_CASE("gc: the veth of a pool that was deleted under a running process is removed") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  must(world.node.create_pool(plain(world, "sound", "10.1.1.0/28")));
  const std::string port = must(world.node.inspect_pool("pool")).port;
  {
    const NetNs netns = must(world.node.open_pool_netns("pool"));
    const Command process = resident(netns);
    must(world.node.delete_pool("pool", true));
    const auto found = collect(world.node);
    CHECK(count(found, GcAction::removed, "veth " + port) == 1);
    CHECK(words(must(world.node.collect_garbage())) == "");
    CHECK(run_command({"ip", "link", "show", "eth0"}, &netns).exit_code != 0);
  }
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: leases of dead processes are released, those of living ones and of nobody kept") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const auto isolation : {Isolation::tenant, Isolation::container}) {
    const World world(nodes.a);
    must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28", isolation)));
    take_leases(world.node, "pool", "living", getpid());
    take_leases(world.node, "pool", "unbound");
    {
      const Command process({"sleep", "60"});
      take_leases(world.node, "pool", "dead", process.pid());
      CHECK(words(must(world.node.collect_garbage())) == "");
    }
    const auto found = collect(world.node);
    CHECK(found.size() == 1);
    CHECK(count(found, GcAction::released, "of dead in pool pool") == 1);
    const auto left = must(world.node.leases());
    CHECK(left.size() == 2);
    CHECK(left[0].holder == "living");
    CHECK(left[1].holder == "unbound");
    world.check_clean_after_delete_all();
  }
}

TEST_CASE("gc: the caller's word that a holder is gone releases its leases") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  take_leases(world.node, "pool", "here");
  take_leases(world.node, "pool", "gone");
  take_leases(world.node, "pool", "gone");
  GcOptions options;
  std::size_t asked = 0;
  options.holder_alive = [&](const Lease& lease) {
    ++asked;
    CHECK(lease.endpoint.v4.has_value());
    return lease.holder != "gone";
  };
  CHECK(count(collect(world.node, options), GcAction::released, "of gone in pool pool") == 2);
  CHECK(asked == 6);
  CHECK(must(world.node.leases()).size() == 1);
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: what is missing in the kernel is made again") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  must(world.node.create_pool(plain(world, "sibling", "10.1.1.0/28")));
  must(world.node.add_peer(
      {"acme", ip("192.0.2.2"), must(Mac::parse("02:00:00:00:00:07")), {net("10.2.0.0/24")}}));
  const std::string whole = world.state();
  const PoolInfo info = must(world.node.inspect_pool("pool"));
  const std::vector<std::vector<std::string>> in_pool{
      {"ip", "link", "set", "eth0", "down"},
      {"ip", "link", "set", "lo", "down"},
      {"ip", "link", "del", "eth0"},
      {"ip", "addr", "del", "10.1.0.3/32", "dev", "eth0"},
      {"ip", "route", "del", "10.1.0.0/28"},
      {"ip", "route", "del", "10.2.0.0/24"},
      {"ip", "neigh", "del", "10.2.0.1", "dev", "eth0"}};
  const std::vector<std::vector<std::string>> in_vtep{
      {"ip", "link", "del", info.vxlan},
      {"ip", "link", "del", info.bridge},
      {"ip", "link", "set", info.vxlan, "down"},
      {"ip", "link", "set", info.port, "nomaster"},
      {"ip", "link", "del", info.port},
      {"bridge", "fdb", "del", "02:00:00:00:00:07", "dev", info.vxlan, "dst", "192.0.2.2"},
      {"bridge", "fdb", "del", info.mac.to_string(), "dev", info.port, "master"}};
  const auto damage = [&](const std::vector<std::string>& command, const NetNs& netns) {
    CAPTURE(said(command));
    run_ok(command, netns);
    CHECK(must(world.node.inspect_pool("pool")).health == PoolHealth::damaged);
    CHECK(count(collect(world.node), GcAction::repaired, "pool pool") == 1);
    CHECK(settle([&] { return world.state(); }, {whole}) == whole);
  };
  for (const auto& command : in_pool) damage(command, must(world.node.open_pool_netns("pool")));
  for (const auto& command : in_vtep) damage(command, must(world.node.open_vtep_netns("acme")));
  world.check_clean_after_delete_all();
}

TEST_CASE("gc: a pin that was unmounted is made again, and the VTEP's too") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  must(world.node.create_pool(plain(world, "pool", "10.1.0.0/28")));
  const std::string whole = world.state();
  for (const std::string& pin : {pool_file(world, "pool", "netns"), tenant_file(world, "vtep")}) {
    CAPTURE(pin);
    must(unpin_netns(pin));
    CHECK(must(world.node.inspect_pool("pool")).health == PoolHealth::damaged);
    const auto found = must(world.node.collect_garbage());
    CHECK(count(found, GcAction::repaired, "pool pool") == 1);
    CHECK(settle([&] { return world.state(); }, {whole}) == whole);
  }
  world.check_clean_after_delete_all();
}

}  // namespace particle::test
