// SPDX-License-Identifier: Apache-2.0
/// particle-runc over the real runc, by hand.
#include <csignal>
#include <filesystem>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// A node with a pool of tenant acme, and particle-runc over the real runc.
struct RuntimeScene : Scene {
  Runtime runtime;
  PoolInfo acme;

  RuntimeScene()
      : runtime(nodes.a, dir.path(), dir.path(), component("runc")),
        acme(must(a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/28"}))).pool) {}
  ~RuntimeScene() {
    runtime.clear();
    for (const char* name : {"acme", "blue"}) static_cast<void>(a.delete_pool(name, true));
  }
  RuntimeScene(const RuntimeScene&) = delete;
  RuntimeScene& operator=(const RuntimeScene&) = delete;

  std::size_t leases() { return must(a.leases()).size(); }
};

BundleSpec in_pool(const std::string& pool, const std::vector<std::string>& command = kSleeper) {
  return {.command = command,
          .annotations = {{"io.particle.pool", pool}},
          .environment = {},
          .mounts = {}};
}

TEST_CASE("particle-runc: a container of a pool has its namespace, its address and its lease") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  const CommandResult started = scene.runtime.start("c1", in_pool("acme"));
  REQUIRE_MESSAGE(started.exit_code == 0, started.err);
  const auto leases = must(scene.a.leases());
  REQUIRE(leases.size() == 1);
  CHECK(leases.front().holder.starts_with("c1."));
  CHECK(scene.runtime.variable("c1", "PARTICLE_IP") == leases.front().endpoint.to_string());
  CHECK(scene.runtime.variable("c1", "PARTICLE_POOL") == "acme");
  CHECK(scene.runtime.variable("c1", "PARTICLE_IP6").empty());
  CHECK(scene.runtime.netns_inode("c1") == must(must(scene.a.open_pool_netns("acme")).inode()));
  CHECK(scene.runtime.call({"delete", "--force", "c1"}).exit_code == 0);
  CHECK(scene.leases() == 0);
  CHECK_FALSE(fs::exists(scene.runtime.state_directory()));
}

TEST_CASE("particle-runc: containers of a pool reach each other, another tenant's do not") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  must(scene.a.create_pool(pool_spec("blue", "blue", 43, {"10.2.0.0/28"})));
  REQUIRE(scene.runtime.start("c1", in_pool("acme", greeter("first"))).exit_code == 0);
  REQUIRE(scene.runtime.start("c2", in_pool("acme", greeter("second"))).exit_code == 0);
  REQUIRE(scene.runtime.start("other", in_pool("blue")).exit_code == 0);
  const std::string first = scene.runtime.variable("c1", "PARTICLE_IP");
  const std::string second = scene.runtime.variable("c2", "PARTICLE_IP");
  CHECK(first != second);
  CHECK(eventually([&] {
    return scene.runtime.exec("c1", greeting_at(second)) == "second" &&
           scene.runtime.exec("c2", greeting_at(first)) == "first";
  }));
  CHECK(scene.runtime.exec("other", greeting_at(first)).empty());
}

TEST_CASE("particle-runc: a further process finds the address in its environment, too") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  REQUIRE(scene.runtime.start("c1", in_pool("acme")).exit_code == 0);
  // As engines do it: described in a file, from what they know of the container.
  const std::string file = scene.dir.file("process.json");
  write_text(file, R"({"cwd":"/","args":["env"],"env":["PATH=/bin","PARTICLE_IP=stale"],
                       "user":{"uid":0,"gid":0}})");
  const CommandResult result = scene.runtime.call({"exec", "--process", file, "c1"});
  CHECK(result.out.find("PARTICLE_IP=10.1.0.1\n") != std::string::npos);
  CHECK(result.out.find("PARTICLE_POOL=acme\n") != std::string::npos);
  CHECK(result.out.find("stale") == std::string::npos);
  CHECK(scene.runtime.exec("c1", {"env"}).find("PARTICLE_IP=10.1.0.1\n") != std::string::npos);
}

TEST_CASE("particle-runc: environment may ask for the pool and the address") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  BundleSpec spec;
  spec.environment = {"PARTICLE_POOL=acme", "PARTICLE_IP=10.1.0.9"};
  REQUIRE(scene.runtime.start("c1", spec).exit_code == 0);
  CHECK(scene.runtime.variable("c1", "PARTICLE_IP") == "10.1.0.9");
  CHECK(must(scene.a.leases()).front().endpoint.to_string() == "10.1.0.9");
}

TEST_CASE("particle-runc: a container without a pool passes through untouched") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  BundleSpec spec;
  spec.environment = {"PARTICLE_POOL=", "PARTICLE_IP=10.1.0.9"};
  const std::string bundle = scene.runtime.make_bundle("plain", spec);
  const auto written = fs::last_write_time(bundle + "/config.json");
  REQUIRE(scene.runtime.call_quietly({"create", "--bundle", bundle, "plain"}).exit_code == 0);
  CHECK(fs::last_write_time(bundle + "/config.json") == written);
  CHECK(scene.runtime.netns_inode("plain") != must(must(scene.a.open_pool_netns("acme")).inode()));
  CHECK(scene.leases() == 0);
  CHECK_FALSE(fs::exists(scene.runtime.state_directory()));
  CHECK(scene.runtime.call({"delete", "--force", "plain"}).exit_code == 0);
}

TEST_CASE("particle-runc: a failed lease fails the create as runc fails, and leaves nothing") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  const std::string log = scene.dir.file("log.json");
  for (const auto& [pool, words] :
       {std::pair("nowhere", "pool nowhere"), std::pair("bad/name", "bad/name")}) {
    const std::string bundle = scene.runtime.make_bundle("c1", in_pool(pool));
    const std::string before = read_text(bundle + "/config.json");
    const CommandResult made = scene.runtime.call(
        {"--log", log, "--log-format", "json", "create", "--bundle", bundle, "c1"});
    CHECK(made.exit_code == 1);
    CHECK(made.err.find(words) != std::string::npos);
    const auto entry = nlohmann::json::parse(read_text(log));
    CHECK(entry.at("level") == "error");
    CHECK(entry.at("msg").get<std::string>().find(words) != std::string::npos);
    CHECK(read_text(bundle + "/config.json") == before);
    CHECK_FALSE(fs::exists(scene.runtime.state_directory()));
    CHECK(entries_in(scene.runtime.root()) == 0);
    fs::remove(log);
  }
}

TEST_CASE("particle-runc: a create that runc refuses gives the lease back at once") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  const std::string bundle = scene.runtime.make_bundle("c1", in_pool("acme", {"/no/such/program"}));
  const std::string before = read_text(bundle + "/config.json");
  CHECK(scene.runtime.call({"create", "--bundle", bundle, "c1"}).exit_code == 1);
  CHECK(scene.leases() == 0);
  CHECK_FALSE(fs::exists(scene.runtime.state_directory()));
  CHECK(read_text(bundle + "/config.json") == before);
}

TEST_CASE(
    "particle-runc: a second container of one id is refused and takes nothing from the first") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  REQUIRE(scene.runtime.start("c1", in_pool("acme")).exit_code == 0);
  const std::string bundle = scene.runtime.make_bundle("again", in_pool("acme"));
  CHECK(scene.runtime.call({"create", "--bundle", bundle, "c1"}).exit_code == 1);
  CHECK(scene.leases() == 1);
  CHECK(scene.runtime.variable("c1", "PARTICLE_IP") == "10.1.0.1");
}

TEST_CASE("particle-runc: delete of a running container is refused, and it keeps its lease") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  REQUIRE(scene.runtime.start("c1", in_pool("acme")).exit_code == 0);
  CHECK(scene.runtime.call({"delete", "c1"}).exit_code != 0);
  CHECK(scene.leases() == 1);
  // Behind the wrapper's back: the next delete finds no container, and gives the lease back.
  CHECK(scene.runtime.call_real({"delete", "--force", "c1"}).exit_code == 0);
  CHECK(scene.leases() == 1);
  CHECK(scene.runtime.call({"delete", "c1"}).exit_code == 1);
  CHECK(scene.leases() == 0);
}

TEST_CASE("particle-runc: what is left without a container, --particle-gc gives back") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  REQUIRE(scene.runtime.start("gone", in_pool("acme")).exit_code == 0);
  REQUIRE(scene.runtime.start("here", in_pool("acme")).exit_code == 0);
  REQUIRE(scene.runtime.call_real({"delete", "--force", "gone"}).exit_code == 0);
  CHECK(scene.leases() == 2);
  auto words = scene.runtime.words({});
  words.resize(words.size() - 2);  // no --root
  words.emplace_back("--particle-gc");
  const CommandResult collected = run_command(words, &scene.nodes.a);
  CHECK(collected.exit_code == 0);
  CHECK(collected.out.find("removed container gone.") == 0);
  const auto leases = must(scene.a.leases());
  REQUIRE(leases.size() == 1);
  CHECK(leases.front().holder.starts_with("here."));
}

TEST_CASE(
    "particle-runc: gc --alive leaves containers that run alone, whatever the list calls them") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  REQUIRE(scene.runtime.start("here", in_pool("acme")).exit_code == 0);
  must(scene.a.lease({.pool = "acme", .holder = "by-hand"}));
  write_text(scene.dir.file("alive"), "here\n");  // as `ctr containers list --quiet` has it
  const CommandResult collected =
      run_command({std::string(PARTICLE_TEST_BIN_DIR) + "/particle", "--run-dir", scene.dir.path(),
                   "gc", "--alive", scene.dir.file("alive")},
                  &scene.nodes.a);
  CHECK(collected.exit_code == 0);
  CHECK(collected.out.find("of by-hand in pool acme") != std::string::npos);
  const auto leases = must(scene.a.leases());
  REQUIRE(leases.size() == 1);
  CHECK(leases.front().holder.starts_with("here."));
}

TEST_CASE("particle-runc: the hosts file that an engine mounts names the container's address") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  const std::string hosts = scene.dir.file("hosts");
  write_text(hosts, "127.0.0.1\tlocalhost");
  BundleSpec spec = in_pool("acme");
  spec.mounts.push_back({{"destination", "/etc/hosts"},
                         {"type", "bind"},
                         {"source", hosts},
                         {"options", {"rbind", "rprivate"}}});
  REQUIRE(scene.runtime.start("c1", spec).exit_code == 0);
  CHECK(scene.runtime.exec("c1", {"cat", "/etc/hosts"}) == "127.0.0.1\tlocalhost\n10.1.0.1\tbox\n");
  CHECK(read_text(hosts) == "127.0.0.1\tlocalhost");
}

TEST_CASE("particle-runc: crun is wrapped as runc is") {
  if (!need_components({"crun", "busybox"})) return;
  RuntimeScene scene;
  // crun refuses a machine that has both versions of control groups: show it one of them.
  Runtime crun(scene.nodes.a, scene.dir.path(), scene.dir.path(), component("crun"),
               {"unshare", "--mount", "--propagation=slave", "sh", "-c",
                "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"", "sh"});
  const CommandResult started = crun.start("c1", in_pool("acme", greeter("first")));
  REQUIRE_MESSAGE(started.exit_code == 0, started.err);
  CHECK(scene.leases() == 1);
  CHECK(crun.netns_inode("c1") == must(must(scene.a.open_pool_netns("acme")).inode()));
  CHECK(eventually([&] { return crun.exec("c1", greeting_at("10.1.0.1")) == "first"; }));
  const std::string broken = crun.make_bundle("c2", in_pool("acme", {"/no/such/program"}));
  CHECK(crun.call({"create", "--bundle", broken, "c2"}).exit_code == 1);
  CHECK(scene.leases() == 1);
  CHECK(crun.call({"delete", "--force", "c1"}).exit_code == 0);
  CHECK(scene.leases() == 0);
}

TEST_CASE("particle-runc: run in the foreground gives everything back when the container ends") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  const std::string bundle = scene.runtime.make_bundle(
      "c1", in_pool("acme", {"sh", "-c", "echo at $PARTICLE_IP; exit 7"}));
  const std::string before = read_text(bundle + "/config.json");
  const CommandResult ran = scene.runtime.call({"run", "--bundle", bundle, "c1"});
  CHECK(ran.exit_code == 7);
  CHECK(ran.out == "at 10.1.0.1\n");
  CHECK(scene.leases() == 0);
  CHECK_FALSE(fs::exists(scene.runtime.state_directory()));
  CHECK(read_text(bundle + "/config.json") == before);
}

TEST_CASE(
    "particle-runc: what a signal does to runc in the foreground, it does behind the wrapper") {
  if (!need_components({"runc", "busybox"})) return;
  RuntimeScene scene;
  const std::vector<std::string> until_told{
      "sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done"};
  const std::string bundle = scene.runtime.make_bundle("c1", in_pool("acme", until_told));
  Command run(scene.runtime.words({"run", "--bundle", bundle, "c1"}), &scene.nodes.a);
  REQUIRE(run.wait_for_text("up"));
  CHECK(scene.leases() == 1);
  run.signal(SIGTERM);
  CHECK(run.finish(std::chrono::seconds(20)).exit_code == 9);
  CHECK(scene.leases() == 0);
}

}  // namespace
}  // namespace particle::test
