// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.hpp"
#include "agent_socket.hpp"

namespace particle::runtime {
namespace {

constexpr std::chrono::seconds kStartPatience{5};
constexpr std::chrono::milliseconds kPoll{2};

/// A process of its own: not the runtime's child, nor in the session or the directory of whoever starts
/// containers, and without what they have open.
[[noreturn]] void become_agent(const std::string& run_dir, const std::string& node_id) {
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  const int nothing = ::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, standard);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  static_cast<void>(::chdir("/") == 0);
  ::execl("/proc/self/exe", "particle-runc", "--particle-agent", run_dir.c_str(), node_id.c_str(),
          nullptr);
  ::_exit(127);
}

}  // namespace

Result<std::string> ensure_agent(const std::string& run_dir, const std::string& node_id) {
  std::string socket = agent_place(run_dir, node_id).socket;
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  auto next_start = std::chrono::steady_clock::now();
  while (!is_answered(socket)) {
    const auto now = std::chrono::steady_clock::now();
    if (now > deadline) {
      return fail(Error::of(Errc::busy, "start the bind agent of node " + node_id,
                            "it does not answer at " + socket +
                                "; see what `particle-runc --particle-agent " + run_dir + " " +
                                node_id + "` says"));
    }
    // Again after a second: one that is just ending may have had the lock.
    if (now >= next_start) {
      next_start = now + std::chrono::seconds(1);
      const pid_t child = ::fork();
      if (child < 0) return fail(Error::from_errno(errno, "fork"));
      if (child == 0) become_agent(run_dir, node_id);
      ::waitpid(child, nullptr, 0);
    }
    std::this_thread::sleep_for(kPoll);
  }
  return socket;
}

}  // namespace particle::runtime
