// SPDX-License-Identifier: Apache-2.0
/// The bind agent of a node: its worker killed, its keeper killed, and its end.
#include <csignal>
#include <filesystem>
#include <fstream>

#include "runtime/bind_scene.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// The agent's processes of one run directory: keeper and worker by name.
pid_t agent_process(const BoundScene& scene, const std::string& name) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream command(entry.path() / "cmdline");
    std::string words;
    std::getline(command, words);
    std::ifstream comm(entry.path() / "comm");
    std::string called;
    std::getline(comm, called);
    if (called == name && words.find(scene.dir.path()) != std::string::npos) return std::stoi(pid);
  }
  return -1;
}

bool is_gone(pid_t process) {
  return ::kill(process, 0) != 0;
}

TEST_CASE("bind agent: a worker that is killed is replaced, and binds work again") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene scene("seccomp");
  scene.start("c1", pool_member(open_greeter("first")));
  scene.start("c2", pool_member(kSleeper));
  CHECK(scene.ask("c2", scene.address("c1")) == "first");
  for (int round = 0; round < 3; ++round) {
    const pid_t worker = agent_process(scene, "particle-bind-w");
    REQUIRE(worker > 0);
    ::kill(worker, SIGKILL);
    // What is served goes on; what is asked waits for the next worker, which knows the container.
    CHECK(scene.bind("c1", "0.0.0.0") == scene.address("c1"));
    CHECK(scene.ask("c2", scene.address("c1")) == "first");
    CHECK(agent_process(scene, "particle-bind-w") != worker);
  }
}

TEST_CASE("bind agent: a call that its worker died over fails, and does not wait for ever") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene scene("seccomp");
  scene.start("c1", pool_member({"greeter", "hold", "0.0.0.0"}));
  const std::string own = scene.address("c1");
  const std::string tmp = scene.dir.path() + "/rootfs/tmp/";
  // The kernel keeps one connection for the listener; the second or third waits in connect(2), which
  // the worker has in hand then. Each gives up after two seconds.
  const std::string ask =
      "(greeter ask " + own + " 2>/tmp/$i.new; cat /tmp/$i.new >/tmp/$i.said) &";
  const CommandResult started =
      scene.runtime.call_quietly({"exec", "--detach", "c1", "sh", "-c",
                                  "sleep 0.2; for i in 1 2 3 4; do " + ask + " done; wait"});
  REQUIRE(started.exit_code == 0);
  const pid_t worker = agent_process(scene, "particle-bind-w");
  std::this_thread::sleep_for(std::chrono::milliseconds(800));
  ::kill(worker, SIGKILL);
  const auto failed = [&] {
    int count = 0;
    for (const std::string name : {"1", "2", "3", "4"}) {
      const std::string said = tmp + name + ".said";
      count += fs::exists(said) && read_text(said) == own + ": Function not implemented\n";
    }
    return count;
  };
  CHECK(eventually([&] { return failed() >= 1; }));
  CHECK(scene.bind("c1", "0.0.0.0") == scene.address("c1"));
}

TEST_CASE(
    "bind agent: without its keeper nothing gets through, and new containers have a new one") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene scene("seccomp");
  scene.start("c1", pool_member(open_greeter("first")));
  scene.start("old", pool_member({"sh", "-c",
                                  "while [ ! -e /tmp/go ]; do sleep 0.05; done; greeter "
                                  "bind 0.0.0.0 >/tmp/said 2>&1; sleep 1000"}));
  const pid_t keeper = agent_process(scene, "particle-bind-k");
  REQUIRE(keeper > 0);
  ::kill(keeper, SIGKILL);
  CHECK(eventually([&] { return agent_process(scene, "particle-bind-w") < 0; }));
  write_text(scene.dir.path() + "/rootfs/tmp/go", "");
  const std::string said = scene.dir.path() + "/rootfs/tmp/said";
  CHECK(eventually([&] { return fs::exists(said) && !read_text(said).empty(); }));
  CHECK(read_text(said) == "0.0.0.0: Function not implemented\n");
  scene.start("c2", pool_member(kSleeper));
  CHECK(scene.bind("c2", "0.0.0.0") == scene.address("c2"));
  // The server of before has what it had.
  CHECK(scene.ask("c2", scene.address("c1")) == "first");
}

TEST_CASE("bind agent: it ends with the last container that needs it") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene scene("seccomp");
  scene.start("c1", pool_member(kSleeper));
  const pid_t keeper = agent_process(scene, "particle-bind-k");
  const pid_t worker = agent_process(scene, "particle-bind-w");
  REQUIRE(keeper > 0);
  CHECK(scene.runtime.call({"delete", "--force", "c1"}).exit_code == 0);
  CHECK(eventually([&] { return is_gone(keeper) && is_gone(worker); }));
  CHECK_FALSE(fs::exists(scene.dir.file("agent")));
}

TEST_CASE("bind agent: fifty containers at once share one, whatever its starter may open") {
  if (!need_components({"runc", "busybox"})) return;
  // Fewer descriptors than containers.
  BoundScene scene("seccomp", "runc", {"prlimit", "--nofile=40:4096"});
  constexpr int kContainers = 50;
  std::vector<std::unique_ptr<Command>> starting;
  for (int i = 0; i < kContainers; ++i) {
    const std::string id = "c" + std::to_string(i);
    starting.push_back(scene.runtime.start_soon(id, pool_member(open_greeter(id))));
  }
  for (auto& one : starting) CHECK(one->finish(std::chrono::seconds(60)).exit_code == 0);
  const std::string asker = "c0";
  for (int i = 1; i < kContainers; i += 7) {
    const std::string id = "c" + std::to_string(i);
    CHECK(scene.ask(asker, scene.address(id)) == id);
  }
}

}  // namespace
}  // namespace particle::test
