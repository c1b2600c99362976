// SPDX-License-Identifier: Apache-2.0
/// The bind agent of a node: its worker killed, its keeper killed, and its end.
#include <csignal>
#include <filesystem>
#include <fstream>

#include "runtime/bind_scene.hpp"
#include "support/skip.hpp"

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
  scene.start("c1", pool_member(kSleeper));
  REQUIRE(scene.bind("c1", "0.0.0.0") == scene.address("c1"));
  // A connect that nobody answers is in the worker's hands for as long as the kernel tries.
  const std::string file = scene.dir.path() + "/rootfs/tmp/verdict";
  const CommandResult started =
      scene.runtime.call_quietly({"exec", "--detach", "c1", "sh", "-c",
                                  "greeter ask 10.99.0.1 2>/tmp/verdict.new; "
                                  "mv /tmp/verdict.new /tmp/verdict"});
  REQUIRE(started.exit_code == 0);
  const pid_t worker = agent_process(scene, "particle-bind-w");
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  if (fs::exists(file)) return skip("a connect to nowhere fails at once here: " + read_text(file));
  ::kill(worker, SIGKILL);
  CHECK(eventually([&] { return fs::exists(file); }));
  CHECK(read_text(file) == "10.99.0.1: Function not implemented\n");
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

TEST_CASE("bind agent: fifty containers at once share one") {
  if (!need_components({"runc", "busybox"})) return;
  BoundScene scene("seccomp");
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
