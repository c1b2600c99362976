// SPDX-License-Identifier: Apache-2.0
/// The paper's baseline: one `ip` command per step.
///
/// It runs on a thread with a network and a mount namespace of its own; the commands inherit both,
/// so that `ip netns add` never sees the caller's /run/netns.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle/netns.hpp>

#include "baselines/baseline.hpp"
#include "baselines/sandbox.hpp"
#include "baselines/scratch_node.hpp"
#include "baselines/step_clock.hpp"

namespace particle::baselines {
namespace {

using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

std::string in_words(const Words& words) {
  std::string line = "ip";
  for (const auto& word : words) line.append(" ").append(word);
  return line;
}

/// Starts `argv` without output, and waits for it. The exit status, or -1 with errno.
int spawn_and_wait(const std::string& program, std::vector<char*>& argv) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // Signals are the caller's business: a Ctrl-C must not cut a command in half.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    errno = error;
    return -1;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

class IpCommand {
 public:
  explicit IpCommand(std::string program) : program_(std::move(program)) {}

  [[nodiscard]] Result<void> operator()(Words words) const {
    std::string name = "ip";
    std::vector<char*> argv{name.data()};
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int status = spawn_and_wait(program_, argv);
    if (status < 0) return fail(Error::from_errno(errno, in_words(words)));
    if (status > 0) {
      return fail(
          Error::of(Errc::kernel, in_words(words) + ": exit status " + std::to_string(status)));
    }
    return {};
  }

 private:
  std::string program_;
};

Result<void> make_bridge(const IpCommand& ip, std::uint64_t number) {
  const std::string bridge = "br" + std::to_string(number);
  const std::string vxlan = "vx" + std::to_string(number);
  const std::string vni = std::to_string(4242 + number);
  const std::vector<Words> commands{
      {"-n", "vtep", "link", "add", bridge, "type", "bridge"},
      {"-n", "vtep", "link", "add", vxlan, "type", "vxlan", "id", vni, "dstport", "4789"},
      {"-n", "vtep", "link", "set", vxlan, "master", bridge, "up"},
      {"-n", "vtep", "link", "set", bridge, "up"}};
  for (const auto& command : commands) {
    if (auto done = ip(command); !done) return done;
  }
  return {};
}

Result<void> make_vtep(const IpCommand& ip, std::uint64_t containers) {
  if (auto done = ip({"netns", "add", "vtep"}); !done) return done;
  for (std::uint64_t number = 0; number < bridges_for(containers); ++number) {
    if (auto done = make_bridge(ip, number); !done) return done;
  }
  return {};
}

struct StepCommand {
  std::size_t step;
  Words words;
};

/// The commands for container `i`, in the order of figure 3.1.
std::vector<StepCommand> commands_for(std::uint64_t i) {
  const std::string number = std::to_string(i);
  const std::string guest = "c" + number;
  const std::string near_end = "v" + number;
  const std::string far_end = "g" + number;
  const std::string bridge = "br" + std::to_string(i / kContainersPerBridge);
  const std::string address =
      container_address(i).to_string() + "/" + std::to_string(kContainerPrefix);
  return {{1, {"netns", "add", guest}},
          {2, {"link", "add", near_end, "type", "veth", "peer", "name", far_end}},
          {3, {"link", "set", near_end, "netns", "vtep"}},
          {4, {"link", "set", far_end, "netns", guest}},
          {5, {"-n", "vtep", "link", "set", near_end, "master", bridge, "up"}},
          {5, {"-n", guest, "link", "set", far_end, "name", "eth0", "up"}},
          {6, {"-n", guest, "addr", "add", address, "dev", "eth0"}}};
}

Result<void> connect(const IpCommand& ip, std::uint64_t i, Run& run) {
  StepClock clock(run);
  for (const auto& command : commands_for(i)) {
    clock.begin(command.step);
    if (auto done = ip(command.words); !done) return done;
  }
  return {};
}

/// In the calling thread, which sees the pins.
Result<void> check(std::uint64_t containers) {
  auto vtep = NetNs::open_name("vtep");
  if (!vtep) return fail(std::move(vtep.error()));
  return check_made(*vtep, containers,
                    [](std::uint64_t i) { return NetNs::open_name("c" + std::to_string(i)); });
}

Result<Run> run_here(const Request& request, const IpCommand& ip) {
  if (auto done = enter_private_mounts(); !done) return fail(std::move(done.error()));
  if (unshare(CLONE_NEWNET) != 0) {
    return fail(Error::from_errno(errno, "make a network namespace (unshare CLONE_NEWNET)"));
  }
  if (auto done = make_vtep(ip, request.containers); !done) return fail(std::move(done.error()));

  Run run;
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < request.containers; ++i) {
    if (request.stop.stop_requested()) return fail(Error::of(Errc::interrupted, "the baseline"));
    if (auto done = connect(ip, i, run); !done) return fail(std::move(done.error()));
    ++run.containers;
    if (request.progress) request.progress(run.containers);
  }
  run.total = Clock::now() - start;
  if (auto made = check(request.containers); !made) return fail(std::move(made.error()));
  // The pins live in this thread's mount namespace, so its descriptor keeps them all.
  run.remains = std::make_shared<UniqueFd>(open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  return run;
}

}  // namespace

std::string find_ip_command() {
  const char* path = std::getenv("PATH");
  std::string folders = path == nullptr ? "" : path;
  folders += ":/usr/sbin:/sbin:/usr/bin:/bin";  // users often have no sbin in their PATH
  std::size_t start = 0;
  while (start <= folders.size()) {
    const std::size_t end = std::min(folders.find(':', start), folders.size());
    const std::string candidate = folders.substr(start, end - start) + "/ip";
    if (end > start && access(candidate.c_str(), X_OK) == 0) return candidate;
    start = end + 1;
  }
  return {};
}

Result<Run> run_ip_commands(const Request& request) {
  const std::string program = find_ip_command();
  if (program.empty()) {
    return fail(Error::of(Errc::not_found, "the ip command", "install iproute2"));
  }
  std::optional<Result<Run>> outcome;
  std::thread([&] { outcome.emplace(run_here(request, IpCommand(program))); }).join();
  return std::move(*outcome);
}

}  // namespace particle::baselines
