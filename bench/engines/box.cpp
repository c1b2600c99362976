// SPDX-License-Identifier: Apache-2.0
#include "engines/box.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace particle::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kGroupPrefix = "particle-bench-";
constexpr auto kGlance = std::chrono::milliseconds(20);

/// In a process group of its own: Ctrl-C is this program's business.
Result<pid_t> spawn(const Words& words, const Words& environment, int output, int errors) {
  const auto pointers = [](const Words& from) {
    std::vector<char*> out;
    for (const auto& word : from) out.push_back(const_cast<char*>(word.c_str()));
    out.push_back(nullptr);
    return out;
  };
  auto argv = pointers(words);
  auto envp = pointers(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv.front(), &actions, &attributes, argv.data(),
                                 environment.empty() ? environ : envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(Error::from_errno(error, "start " + words.front()));
  return pid;
}

UniqueFd open_log(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
}

/// The last line of a file that says something.
std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  constexpr std::size_t kLongest = 300;
  return last.substr(0, kLongest);
}

/// The program of a command line: what stands behind `env NAME=VALUE ...`.
std::string program_of(const Words& words) {
  for (const auto& word : words) {
    if (word != "env" && word.find('=') == std::string::npos) return fs::path(word).filename();
  }
  return words.front();
}

/// `log` is where it says what is wrong.
Result<void> wait_for(pid_t process, const Words& words, const std::string& log) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return fail(Error::from_errno(errno, "wait for " + program_of(words)));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return fail(Error::of(Errc::kernel,
                        program_of(words) + " ended with status " + std::to_string(code),
                        last_line(log)));
}

pid_t only_child(pid_t parent) {
  const std::string pid = std::to_string(parent);
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  pid_t child = -1;
  children >> child;
  return child;
}

/// Control groups are empty directories to rmdir(2), innermost first.
void remove_group(const fs::path& group) {
  std::error_code none;
  std::vector<fs::path> inner;
  for (const auto& entry : fs::directory_iterator(group, none)) {
    if (entry.is_directory(none)) inner.push_back(entry.path());
  }
  for (const auto& each : inner) remove_group(each);
  ::rmdir(group.c_str());
}

/// Every hierarchy of control groups, v1 and v2.
std::vector<fs::path> hierarchies() {
  std::error_code none;
  std::vector<fs::path> out{"/sys/fs/cgroup"};
  for (const auto& entry : fs::directory_iterator("/sys/fs/cgroup", none)) {
    if (entry.is_directory(none)) out.push_back(entry.path());
  }
  return out;
}

bool same_namespace(const fs::path& a, const fs::path& b) {
  std::error_code none;
  const auto left = fs::read_symlink(a, none);
  return !left.empty() && left == fs::read_symlink(b, none);
}

/// Memory that a process shares with no file, in KiB.
double private_kib(const fs::path& process) {
  std::ifstream status(process / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(line.find(':') + 1));
  }
  return 0;
}

}  // namespace

Result<void> run_here(const Words& words, const std::string& directory) {
  std::error_code failed;
  fs::create_directories(directory, failed);
  const UniqueFd log = open_log(directory + "/log");
  if (!log.valid()) return fail(Error::from_errno(errno, "write " + directory + "/log"));
  const auto pid = spawn(words, {}, log.get(), log.get());
  if (!pid) return fail(pid.error());
  return wait_for(*pid, words, directory + "/log");
}

void sweep_control_groups() {
  std::error_code none;
  for (const auto& hierarchy : hierarchies()) {
    std::vector<fs::path> left;
    for (const auto& entry : fs::directory_iterator(hierarchy, none)) {
      const std::string name = entry.path().filename();
      if (!name.starts_with(kGroupPrefix)) continue;
      const auto pid = std::strtol(name.c_str() + kGroupPrefix.size(), nullptr, 10);
      if (pid > 0 && ::kill(static_cast<pid_t>(pid), 0) != 0) left.push_back(entry.path());
    }
    for (const auto& each : left) remove_group(each);
  }
}

Box::Box(std::string directory, std::string group)
    : directory_(std::move(directory)), group_(std::move(group)) {}

Box::Box(Box&& other) noexcept
    : directory_(std::move(other.directory_)),
      group_(std::move(other.group_)),
      launcher_(std::exchange(other.launcher_, -1)),
      first_(std::exchange(other.first_, -1)) {}

Box::~Box() {
  if (launcher_ < 0) return;
  // Held so that its end can be waited for: its number may be given to another process by then.
  const UniqueFd first(first_ > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, first_, 0)) : -1);
  ::kill(launcher_, SIGKILL);  // which is inherited: --kill-child
  while (::waitpid(launcher_, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (first.valid()) {
    // The kernel ends everything inside before the first process is gone.
    constexpr int kPatienceMs = 10'000;
    pollfd gone{first.get(), POLLIN, 0};
    while (::poll(&gone, 1, kPatienceMs) < 0 && errno == EINTR) {
    }
  }
  for (const auto& hierarchy : hierarchies()) remove_group(hierarchy / group_);
}

Result<Box> Box::enter(const NetNs& node, const std::string& directory, const std::string& run_dir,
                       const std::string& script, const Words& words) {
  static unsigned made = 0;
  std::error_code failed;
  fs::create_directories(directory, failed);
  Box box(directory,
          std::string(kGroupPrefix) + std::to_string(::getpid()) + "-" + std::to_string(made++));
  Words environment = engine_environment(directory + "/bin");
  environment.push_back("PARTICLE_RUN_DIR=" + run_dir);
  if (const auto runc = find_program("runc")) environment.push_back("PARTICLE_RUNC=" + *runc);
  const std::string network =
      "--net=/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(node.fd());
  Words all{"setpriv",
            "--pdeathsig",
            "KILL",
            "nsenter",
            network,
            "unshare",
            "--mount",
            "--propagation=slave",
            "--pid",
            "--fork",
            "--kill-child=SIGKILL",
            "--mount-proc",
            "sh",
            "-c",
            script,
            "sh"};
  all.insert(all.end(), words.begin(), words.end());
  const UniqueFd log = open_log(directory + "/log");
  if (!log.valid()) return fail(Error::from_errno(errno, "write " + directory + "/log"));
  auto launcher = spawn(all, environment, log.get(), log.get());
  if (!launcher) return fail(std::move(launcher.error()));
  box.launcher_ = *launcher;
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (Clock::now() < deadline && (box.first_ = only_child(box.launcher_)) <= 0) {
    std::this_thread::sleep_for(kGlance);
  }
  if (box.first_ > 0) return box;
  return fail(
      Error::of(Errc::kernel, "enter namespaces for an engine", last_line(directory + "/log")));
}

Words Box::inside(const Words& words) const {
  Words all{"nsenter", "--target", std::to_string(first_), "--mount", "--net", "--pid", "env"};
  for (auto& variable : engine_environment(directory_ + "/bin")) all.push_back(std::move(variable));
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

Result<pid_t> Box::start(const Words& words, int output) const {
  const UniqueFd errors = open_log(directory_ + "/clients");
  if (!errors.valid()) return fail(Error::from_errno(errno, "write " + directory_ + "/clients"));
  return spawn(inside(words), {}, output, errors.get());
}

Result<void> Box::wait(pid_t process, const Words& words) const {
  return wait_for(process, words, directory_ + "/clients");
}

Result<void> Box::run(const Words& words) const {
  return run_all({words}, {});
}

Result<void> Box::run_all(const std::vector<Words>& commands, const std::stop_token& stop) const {
  const UniqueFd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  std::deque<std::pair<pid_t, const Words*>> running;
  Result<void> verdict;
  const auto wait_for_oldest = [&] {
    auto done = wait(running.front().first, *running.front().second);
    running.pop_front();
    if (verdict && !done) verdict = std::move(done);
  };
  for (const Words& command : commands) {
    if (running.size() >= kAtATime) wait_for_oldest();
    if (!verdict || stop.stop_requested()) break;
    auto pid = start(command, nothing.get());
    if (pid) {
      running.emplace_back(*pid, &command);
    } else {
      verdict = fail(std::move(pid.error()));
    }
  }
  while (!running.empty()) wait_for_oldest();
  if (stop.stop_requested()) return fail(Error::of(Errc::interrupted, "the engine's commands"));
  return verdict;
}

Result<std::string> Box::output_of(const Words& words) const {
  const std::string path = directory_ + "/output";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return fail(Error::from_errno(errno, "write " + path));
  const auto pid = start(words, file.get());
  if (!pid) return fail(pid.error());
  if (auto done = wait(*pid, words); !done) return fail(std::move(done.error()));
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

Result<void> Box::wait_until(const Words& words) const {
  const auto deadline = Clock::now() + std::chrono::seconds(30);
  Result<void> done;
  while (Clock::now() < deadline) {
    std::this_thread::sleep_for(kGlance * 5);
    if (done = run(words); done) return {};
    if (::kill(first_, 0) != 0) break;
  }
  return fail(Error::of(Errc::busy, program_of(words) + " gets no answer from its engine",
                        last_line(directory_ + "/log")));
}

double Box::memory_kib() const {
  const fs::path mine = "/proc/" + std::to_string(first_) + "/ns/pid";
  std::error_code none;
  double sum = 0;
  for (const auto& entry : fs::directory_iterator("/proc", none)) {
    if (std::isdigit(static_cast<unsigned char>(entry.path().filename().string().front())) == 0) {
      continue;
    }
    if (same_namespace(entry.path() / "ns/pid", mine)) sum += private_kib(entry.path());
  }
  return sum;
}

}  // namespace particle::bench
