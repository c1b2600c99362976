// SPDX-License-Identifier: Apache-2.0
// runc and containerd behind the launcher.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "launcher_scene.hpp"
#include "runtime/components.hpp"

namespace particle::test {
namespace {

using fleet::Backend;
using fleet::Ended;
using fleet::Phase;

/// containerd, with everything in one directory; it ends with the object.
class PrivateContainerd {
 public:
  PrivateContainerd() {
    std::ofstream(dir_.file("config.toml"))
        << "version = 2\nroot = \"" << dir_.file("root") << "\"\nstate = \"" << dir_.file("state")
        << "\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = \""
        << socket() << "\"\n";
    daemon_.emplace(std::vector<std::string>{"env", "PATH=" + component_path(),
                                             component("containerd"), "--config",
                                             dir_.file("config.toml")});
    if (!daemon_->wait_for_text("successfully booted")) {
      throw std::runtime_error("containerd does not start: " + daemon_->finish(100ms).err);
    }
  }
  [[nodiscard]] std::string socket() const { return dir_.file("containerd.sock"); }

 private:
  TempRunDir dir_;
  std::optional<Command> daemon_;
};

void check_runtime(const fleet::LauncherOptions& options) {
  const LauncherScene scene;
  const fleet::Launcher launcher = scene.open(options);
  fleet::JobSpec spec = scene.shell("echo $PARTICLE_IP; hostname; read word; echo $word; exit 3");
  Record record;
  CHECK(launcher.start(spec, record).error().kind() == Errc::unsupported);
  spec.function.enforce = bind::Mechanism::off;
  const auto job = must(launcher.start(spec, record));
  std::vector<fleet::InstanceSpec> all = instances(4);
  all[0].input = "hello\n";
  all[1].command = {"no-such-program"};
  all[2].command = {"sleep", "600"};
  all[3].command = {"sh", "-c", "kill -9 $$"};
  must(job->add(all));
  const bool ended = record.wait_for(Phase::done, 3);
  std::string said;
  for (const fleet::Event& event : record.events()) {
    said += std::to_string(event.instance) + " " + std::string(to_string(event.phase)) + " " +
            event.detail + record.errors(event.instance) + "\n";
  }
  INFO(said);
  REQUIRE(ended);
  REQUIRE(record.wait_for(Phase::started, 3));
  const fleet::Event done = record.last(Phase::done, 0);
  INFO(done.detail << record.errors(0));
  CHECK(done.ended == Ended::failed);
  CHECK(done.status == 3);
  CHECK(record.output(0) == done.endpoint->v4->to_string() + "\njob-0\nhello\n");
  job->kill();
  must(job->wait());
  CHECK(record.last(Phase::done, 1).ended == Ended::refused);
  CHECK(record.last(Phase::done, 2).ended == Ended::killed);
}

/// Who is killed with SIGKILL, and when.
struct Murder {
  bool clients = false;  ///< the runtime's clients, too
  bool early = false;    ///< while instances are being started
};

/// A launcher of `options` with `count` instances, in a process of its own.
pid_t start_launcher(const LauncherScene& scene, const fleet::LauncherOptions& options,
                     const std::string& seconds, std::uint64_t count) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setpgid(0, 0);
  fleet::JobSpec spec = scene.job({"sleep", seconds});
  spec.function.enforce = bind::Mechanism::off;
  spec.function.limits.pids = 20;
  Record record;
  const fleet::Launcher launcher = scene.open(options);
  const auto job = must(launcher.start(spec, record));
  must(job->add(instances(count)));
  must(job->finish());
  static_cast<void>(job->wait());
  ::_exit(0);
}

void kill_processes_of(const std::string& word) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (command_line_has(entry.path(), word)) ::kill(std::stoi(name), SIGKILL);
  }
}

bool mounts_have(const std::string& part) {
  std::ifstream file("/proc/self/mountinfo");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.find(part) != std::string::npos;
}

/// What a killed launcher leaves is gone once the next has started: processes, mounts, bundles, leases; the
/// scene looks for control groups and records when it goes.
void check_sweep(const fleet::LauncherOptions& options, const Murder& murder,
                 const std::string& seconds) {
  const LauncherScene scene(32);
  const std::uint64_t count = murder.early ? 20 : 3;
  const pid_t child = start_launcher(scene, options, seconds, count);
  const auto wanted = murder.early ? 1U : count;
  for (int i = 0; i < 2000 && processes_of(seconds) < wanted; ++i) {
    std::this_thread::sleep_for(10ms);
  }
  CHECK(processes_of(seconds) >= wanted);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  // Clients name the bundle, containerd's shims the container's id.
  if (murder.clients) kill_processes_of(scene.run_dir() + "/fleet/");
  CHECK(processes_of(seconds) > 0);
  CHECK(mounts_have(scene.run_dir() + "/fleet/"));
  CHECK(!must(scene.node().leases()).empty());
  {
    const fleet::Launcher next = scene.open(options);
    CHECK(processes_of(seconds) == 0);
    CHECK(!mounts_have(scene.run_dir() + "/fleet/"));
    CHECK(must(scene.node().leases()).empty());
    CHECK(must(next.sweep()).empty());
  }
  // Clients and shims end by themselves when their container has.
  for (int i = 0; i < 500 && processes_of("fleet-" + scene.node().id()) > 0; ++i) {
    std::this_thread::sleep_for(10ms);
  }
  CHECK(processes_of("fleet-" + scene.node().id()) == 0);
  fleet::JobSpec spec = scene.job({"true"});
  spec.function.enforce = bind::Mechanism::off;
  Record record;
  const fleet::Launcher again = scene.open(options);
  const auto job = must(again.start(spec, record));
  must(job->add(instances(1)));
  must(job->finish());
  must(job->wait());
  const fleet::Event done = record.last(Phase::done, 0);
  INFO(done.detail << record.errors(0));
  CHECK(done.ended == Ended::ok);
}

}  // namespace

TEST_CASE("launcher: what a killed launcher leaves of runc's containers is ended by the next") {
  if (!need_root() || !need_components({"runc"})) return;
  fleet::LauncherOptions options;
  options.backend = Backend::runc;
  options.program = component("runc");
  check_sweep(options, {}, "6031");
  check_sweep(options, {.clients = true}, "6032");
  check_sweep(options, {.early = true}, "6033");
  check_sweep(options, {.clients = true, .early = true}, "6034");
}

TEST_CASE(
    "launcher: what a killed launcher leaves of containerd's containers is ended by the next") {
  if (!need_root() || !need_components({"runc", "containerd", "ctr"})) return;
  const PrivateContainerd containerd;
  fleet::LauncherOptions options;
  options.backend = Backend::containerd;
  options.program = component("ctr");
  options.containerd = containerd.socket();
  const auto left = [&](const char* what) {
    return run_command({options.program, "--address", options.containerd, "--namespace",
                        "particle-fleet", what, "list", "--quiet"})
        .out;
  };
  int number = 6041;
  for (const Murder murder :
       {Murder{}, Murder{true, false}, Murder{false, true}, Murder{true, true}}) {
    INFO(murder.clients << murder.early);
    check_sweep(options, murder, std::to_string(number++));
    CHECK(left("tasks") == "");
    CHECK(left("containers") == "");
  }
}

TEST_CASE("launcher: runc starts instances when asked to") {
  if (!need_root() || !need_components({"runc"})) return;
  fleet::LauncherOptions options;
  options.backend = Backend::runc;
  options.program = component("runc");
  check_runtime(options);
}

TEST_CASE("launcher: containerd starts instances when asked to") {
  if (!need_root() || !need_components({"runc", "containerd", "ctr"})) return;
  const PrivateContainerd containerd;
  fleet::LauncherOptions options;
  options.backend = Backend::containerd;
  options.program = component("ctr");
  options.containerd = containerd.socket();
  check_runtime(options);
}

}  // namespace particle::test
