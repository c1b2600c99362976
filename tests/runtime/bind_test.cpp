// SPDX-License-Identifier: Apache-2.0
/// Containers are kept to their endpoints, by each mechanism.
#include <filesystem>
#include <fstream>

#include "runtime/bind_scene.hpp"
#include "runtime/engine.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMechanisms[] = {"ebpf", "seccomp"};

/// Control groups that this scene's node has.
std::vector<std::string> groups_of(const BoundScene& scene) {
  std::vector<std::string> found;
  for (const auto& group : fs::directory_iterator("/sys/fs/cgroup/unified")) {
    const std::string name = group.path().filename();
    if (name.starts_with("particle-" + scene.a.id())) found.push_back(group.path());
  }
  return found;
}

TEST_CASE("container bind: siblings serve one port, each on its own address") {
  if (!need_components({"runc", "busybox"})) return;
  for (const std::string mechanism : kMechanisms) {
    CAPTURE(mechanism);
    BoundScene scene(mechanism);
    scene.start("c1", pool_member(open_greeter("first")));
    scene.start("c2", pool_member(open_greeter("second")));
    const std::string one = scene.address("c1");
    const std::string two = scene.address("c2");
    CHECK(one != two);
    // Each sees the other at its address, and itself at 127.0.0.1.
    CHECK(scene.ask("c1", two) == "second");
    CHECK(scene.ask("c2", one) == "first");
    CHECK(scene.ask("c1", "127.0.0.1") == "first");
    CHECK(scene.ask("c2", "127.0.0.1") == "second");
    const std::string listeners = scene.listeners("c1");
    CHECK(listeners.find(one + ":7000") != std::string::npos);
    CHECK(listeners.find(two + ":7000") != std::string::npos);
    CHECK(listeners.find("0.0.0.0:7000") == std::string::npos);
    CHECK(scene.runtime.call({"delete", "--force", "c1"}).exit_code == 0);
    CHECK(scene.ask("c2", two) == "second");
    CHECK(scene.runtime.call({"delete", "--force", "c2"}).exit_code == 0);
    CHECK(must(scene.a.leases()).empty());
    CHECK(groups_of(scene).empty());
    CHECK_FALSE(fs::exists(scene.runtime.state_directory()));
  }
}

TEST_CASE("container bind: crun's containers are enforced as runc's are") {
  if (!need_components({"crun", "busybox"})) return;
  // crun refuses a machine that has both versions of control groups: show it one of them. Without
  // cgroup2 auto takes seccomp.
  BoundScene scene("auto", "crun",
                   {"unshare", "--mount", "--propagation=slave", "sh", "-c",
                    "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"", "sh"});
  scene.start("c1", pool_member(open_greeter("first")));
  scene.start("c2", pool_member(open_greeter("second")));
  const std::string listeners = scene.listeners("c1");
  CHECK(listeners.find(scene.address("c1") + ":7000") != std::string::npos);
  CHECK(listeners.find(scene.address("c2") + ":7000") != std::string::npos);
}

TEST_CASE("container bind: without enforcement the second of them cannot") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene scene("off");
  scene.start("c1", pool_member(kSleeper));
  scene.start("c2", pool_member(open_greeter("second")));
  CHECK(scene.ask("c1", "127.0.0.1") == "second");
  const CommandResult result = scene.exec("c1", open_greeter("first"));
  CAPTURE(result.err);
  CHECK(result.err.find("in use") != std::string::npos);
}

TEST_CASE("container bind: a further process is kept to the address as well") {
  if (!need_components({"runc", "busybox"})) return;
  for (const std::string mechanism : kMechanisms) {
    CAPTURE(mechanism);
    BoundScene scene(mechanism);
    scene.start("c1", pool_member(kSleeper));
    scene.start("c2", pool_member(kSleeper));
    CHECK(scene.bind("c1", "0.0.0.0") == scene.address("c1"));
    CHECK(scene.bind("c1", "127.0.0.1") == "127.0.0.1");
    CHECK(scene.bind("c1", scene.address("c1")) == scene.address("c1"));
    CHECK(scene.bind("c1", scene.address("c2")) ==
          scene.address("c2") + ": Cannot assign requested address");
    CHECK(scene.bind("c2", "0.0.0.0") == scene.address("c2"));
  }
}

/// The probe of the bind enforcer's matrix, inside a container: what one of its deeds came to.
std::string probe(const BoundScene& scene, const std::string& id,
                  const std::vector<std::string>& words) {
  const std::string inside = scene.dir.path() + "/rootfs/bin/bind-probe";
  std::error_code there;
  fs::copy_file(std::string(PARTICLE_TEST_BIN_DIR) + "/bind-probe-static", inside,
                fs::copy_options::skip_existing, there);
  std::vector<std::string> command{"bind-probe"};
  command.insert(command.end(), words.begin(), words.end());
  const std::string text = scene.exec(id, command).out;
  return text.substr(0, text.find('\n'));
}

TEST_CASE("container bind: bits above a socket's family get nothing past the filter") {
  if (!need_components({"runc", "busybox"})) return;
  for (const std::string mechanism : kMechanisms) {
    CAPTURE(mechanism);
    BoundScene scene(mechanism);
    scene.start("c1", pool_member(kSleeper));
    scene.start("c2", pool_member(kSleeper));
    REQUIRE(probe(scene, "c2", {"netlink"}) == "opened");
    const auto server =
        scene.runtime.call_quietly({"exec", "--detach", "c2", "bind-probe", "serve"});
    REQUIRE(server.exit_code == 0);
    const std::string to = scene.address("c2");
    CHECK(eventually([&] { return probe(scene, "c1", {"sendto", to}) == scene.address("c1"); }));
    CHECK(probe(scene, "c1", {"wide-socket", to}) == scene.address("c1"));
  }
}

TEST_CASE("container bind: listening on no address is bound by seccomp, and cut off by ebpf") {
  if (!need_components({"runc", "busybox"})) return;
  for (const std::string mechanism : kMechanisms) {
    CAPTURE(mechanism);
    BoundScene scene(mechanism);
    scene.start("c1", pool_member(kSleeper));
    const std::string at = probe(scene, "c1", {"listen-unbound4"});
    // The gap of ebpf without an agent: the listener is there, and reached by nobody (the probe's own
    // connection attempts to it included).
    CHECK(at == (mechanism == "ebpf" ? "0.0.0.0" : scene.address("c1")));
    CHECK(probe(scene, "c1", {"listen-unbound-reached"}) ==
          (mechanism == "ebpf" ? "ECONNREFUSED" : "connected"));
  }
}

TEST_CASE("container bind: abstract UNIX names are the pool's, as documented") {
  if (!need_components({"runc", "busybox"})) return;
  for (const std::string mechanism : kMechanisms) {
    CAPTURE(mechanism);
    BoundScene scene(mechanism);
    scene.start("c1", pool_member(kSleeper));
    scene.start("c2", pool_member(kSleeper));
    REQUIRE(probe(scene, "c1", {"netlink"}) == "opened");
    REQUIRE(scene.runtime
                .call_quietly({"exec", "--detach", "c1", "bind-probe", "abstract-serve", "a-name"})
                .exit_code == 0);
    CHECK(eventually([&] { return probe(scene, "c2", {"abstract", "a-name"}) == "connected"; }));
  }
}

TEST_CASE("container bind: what is said most precisely counts: annotation, then settings") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene scene("off");
  scene.start("free", pool_member(kSleeper));
  scene.start("kept", pool_member(kSleeper, {{"io.particle.enforce", "ebpf"}}));
  CHECK(scene.bind("free", "0.0.0.0") == "0.0.0.0");
  CHECK(scene.bind("kept", "0.0.0.0") == scene.address("kept"));
}

TEST_CASE("container bind: strict refuses what rewrite would change") {
  if (!need_components({"runc", "busybox"})) return;
  for (const std::string mechanism : kMechanisms) {
    CAPTURE(mechanism);
    BoundScene scene(mechanism);
    scene.start("c1", pool_member(kSleeper, {{"io.particle.policy", "strict"}}));
    CHECK(scene.bind("c1", "0.0.0.0") == "0.0.0.0: Cannot assign requested address");
    CHECK(scene.bind("c1", scene.address("c1")) == scene.address("c1"));
  }
}

TEST_CASE("container bind: a control group that outlives its container is the next one's alone") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene first("ebpf");
  BoundScene second("ebpf");
  const std::string id = unique_name();
  // Two roots, one id: runc gives both the same control group.
  first.start(id, pool_member(kSleeper, {{"io.particle.ip", "10.1.0.8"}}));
  second.start(id, pool_member(kSleeper, {{"io.particle.ip", "10.1.0.9"}}));
  CHECK(second.bind(id, "0.0.0.0") == "10.1.0.9");
}

TEST_CASE("container bind: raw sockets and the pool's configuration are out of reach") {
  if (!need_components({"runc", "busybox"})) return;
  for (const std::string mechanism : kMechanisms) {
    CAPTURE(mechanism);
    BoundScene scene(mechanism);
    BundleSpec spec = pool_member(kSleeper);
    spec.capabilities = {"CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE"};
    scene.start("c1", spec);
    const std::string status = scene.runtime.exec("c1", {"cat", "/proc/self/status"});
    const auto bounding = std::stoull(status.substr(status.find("CapBnd:") + 7), nullptr, 16);
    CHECK((bounding >> 13U & 1U) == 0);
    CHECK((bounding >> 12U & 1U) == 0);
    CHECK((bounding >> 10U & 1U) == 1);
    CHECK(scene.exec("c1", {"ping", "-c", "1", "-W", "1", scene.address("c1")}).exit_code != 0);
    CHECK(scene.exec("c1", {"ip", "address", "add", "10.9.9.9/32", "dev", "lo"}).exit_code != 0);
  }
}

TEST_CASE("container bind: an annotation that says nothing sensible refuses the container") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene scene("auto");
  const auto refused = [&](const std::map<std::string, std::string>& annotations,
                           const std::string& words) {
    const CommandResult result = scene.runtime.start("c1", pool_member(kSleeper, annotations));
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK(result.err.find(words) != std::string::npos);
    CHECK(must(scene.a.leases()).empty());
    CHECK(groups_of(scene).empty());
    CHECK_FALSE(fs::exists(scene.runtime.state_directory()));
  };
  refused({{"io.particle.enforce", "magic"}}, "choose one of auto, ebpf");
  refused({{"io.particle.enforce", "preload"}}, "image's C library");
  refused({{"io.particle.policy", "audit"}}, "particle run");
  BundleSpec spec = pool_member(kSleeper, {{"io.particle.enforce", "seccomp"}});
  spec.seccomp = {{"defaultAction", "SCMP_ACT_ALLOW"}, {"listenerPath", "/run/other"}};
  const CommandResult taken = scene.runtime.start("c1", spec);
  CHECK(taken.err.find("listener already") != std::string::npos);
  CHECK(must(scene.a.leases()).empty());
}

TEST_CASE("container bind: particle gc ends what a runtime that was called alone left") {
  if (!need_components({"runc", "busybox"})) return;
  for (const std::string mechanism : kMechanisms) {
    CAPTURE(mechanism);
    BoundScene scene(mechanism);
    scene.start("gone", pool_member(kSleeper));
    scene.start("here", pool_member(kSleeper));
    REQUIRE(scene.runtime.call_real({"delete", "--force", "gone"}).exit_code == 0);
    const auto gc = [&](std::vector<std::string> options) {
      options.insert(options.begin(), {std::string(PARTICLE_TEST_BIN_DIR) + "/particle",
                                       "--run-dir", scene.dir.path(), "gc"});
      return run_command(options, &scene.nodes.a);
    };
    CHECK(gc({"--dry-run"}).out.find("would be removed: container gone.") != std::string::npos);
    CHECK(must(scene.a.leases()).size() == 2);
    CHECK(gc({}).out.find("removed: container gone.") != std::string::npos);
    REQUIRE(must(scene.a.leases()).size() == 1);
    CHECK(must(scene.a.leases()).front().holder.starts_with("here."));
    CHECK(gc({}).out == "nothing to clean up\n");
    CHECK(scene.bind("here", "0.0.0.0") == scene.address("here"));
  }
}

TEST_CASE("container bind: on a host with cgroup v2 alone the container's own group is enforced") {
  if (!need_components({"runc", "busybox"})) return;
  // What a host with cgroup v2 alone looks like, to whoever is inside.
  BoundScene scene("ebpf", "runc",
                   {"unshare", "--mount", "--propagation=slave", "sh", "-c",
                    "mount -t tmpfs none /mnt && mkdir /mnt/v2 && mount --move "
                    "/sys/fs/cgroup/unified /mnt/v2 && umount -R /sys/fs/cgroup && mount --move "
                    "/mnt/v2 /sys/fs/cgroup && umount /mnt && exec \"$@\"",
                    "sh"});
  scene.start("c1", pool_member(open_greeter("first")));
  scene.start("c2", pool_member(open_greeter("second")));
  CHECK(scene.ask("c1", scene.address("c2")) == "second");
  CHECK(scene.ask("c2", "127.0.0.1") == "second");
  CHECK(scene.listeners("c1").find("0.0.0.0:7000") == std::string::npos);
  // The groups that were made mark the endpoints as in use; nobody is in them.
  REQUIRE(groups_of(scene).size() == 1);
  std::size_t marks = 0;
  for (const auto& entry : fs::directory_iterator(groups_of(scene).front())) {
    if (!entry.is_directory()) continue;
    ++marks;
    CHECK(read_text(entry.path() / "cgroup.procs").empty());
  }
  CHECK(marks == 2);
  CHECK(scene.runtime.call({"delete", "--force", "c1"}).exit_code == 0);
  CHECK(scene.runtime.call({"delete", "--force", "c2"}).exit_code == 0);
  CHECK(groups_of(scene).empty());
}

}  // namespace
}  // namespace particle::test
