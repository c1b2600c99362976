// SPDX-License-Identifier: Apache-2.0
#include "demo/overlay/process.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace particle::cli::demo {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string components_root() {
  const char* chosen = std::getenv("PARTICLE_COMPONENTS");
  if (chosen != nullptr && *chosen != '\0') return std::string(chosen) + "/root";
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  // build/release/bin/particle -> build/components
  return self.parent_path().parent_path().parent_path() / "components/root";
}

/// Nothing here may allocate: another thread may have held a lock when this one was forked off.
[[noreturn]] void become(char* const* argv, int netns, int log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);  // Ctrl-C is for the demo, which ends its daemons in order
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) std::signal(signal, SIG_DFL);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (::setns(netns, CLONE_NEWNET) == 0 && ::dup2(null, STDIN_FILENO) >= 0 &&
      ::dup2(log, STDOUT_FILENO) >= 0 && ::dup2(log, STDERR_FILENO) >= 0) {
    ::execv(argv[0], argv);
  }
  ::_exit(127);
}

}  // namespace

Result<Process> Process::start(const std::vector<std::string>& argv, const NetNs& netns,
                               const std::string& log) {
  const UniqueFd file(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file.valid()) return fail(Error::from_errno(errno, "open " + log));
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(Error::from_errno(errno, "start " + argv.front()));
  if (pid == 0) become(pointers.data(), netns.fd(), file.get());
  return Process(pid, log);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_), log_(std::move(other.log_)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  end();
  pid_ = std::exchange(other.pid_, -1);
  status_ = other.status_;
  log_ = std::move(other.log_);
  return *this;
}

Process::~Process() {
  end();
}

bool Process::runs() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) != 0) {
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pid_ = -1;
  }
  return pid_ > 0;
}

void Process::end() {
  if (!runs()) return;
  ::kill(pid_, SIGTERM);
  const auto deadline = Clock::now() + std::chrono::seconds(2);
  while (runs() && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  if (!runs()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string Process::last_words() const {
  std::ifstream file(log_);
  std::string before;
  std::string last;
  for (std::string line; std::getline(file, line);) before = std::exchange(last, line);
  return before.empty() ? last : before + "; " + last;
}

Result<std::string> find_program(const std::string& name, const std::vector<std::string>& folders,
                                 const std::string& package) {
  std::vector<std::string> candidates;
  for (const auto& root : {components_root(), std::string()}) {
    for (const auto& folder : folders) candidates.push_back(root + "/" + folder + "/" + name);
  }
  const char* path = std::getenv("PATH");
  std::istringstream places(path != nullptr ? path : "");
  for (std::string folder; std::getline(places, folder, ':');)
    candidates.push_back(folder + "/" + name);
  for (const auto& candidate : candidates) {
    if (::access(candidate.c_str(), X_OK) == 0 && fs::is_regular_file(candidate)) return candidate;
  }
  return fail(Error::of(Errc::not_found, "program " + name + " is not on this machine",
                        "apt-get install " + package +
                            ", or in the source tree packaging/components.sh, which unpacks it "
                            "without installing it"));
}

std::string component_libraries() {
  const std::string root = components_root() + "/usr/lib";
  std::string all;
  std::error_code error;
  for (const char* triplet : {"x86_64-linux-gnu", "aarch64-linux-gnu"}) {
    const std::string folder = root + "/" + triplet;
    if (fs::is_directory(folder, error))
      all += (all.empty() ? "" : ":") + folder + ":" + folder + "/frr";
  }
  return all;
}

}  // namespace particle::cli::demo
