// SPDX-License-Identifier: Apache-2.0
#include "command_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exit_codes.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

constexpr int kKillRounds = 100000;
constexpr std::array kRelayed = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1,
                                 SIGUSR2, SIGALRM, SIGCONT, SIGWINCH};

sigset_t relayed_set() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : kRelayed) {
    ::sigaddset(&set, signal);
  }
  ::sigaddset(&set, SIGCHLD);
  return set;
}

int status_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<int> become_command(const Context& context) {
  std::vector<char*> words;
  words.reserve(context.command.size() + 1);
  for (const std::string& word : context.command) {
    words.push_back(const_cast<char*>(word.c_str()));
  }
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  const int error = errno;
  print_error(context, Error::from_errno(error, "run " + shown(context.command.front())));
  return error == ENOENT ? kExitNoSuchCommand : kExitCannotRun;
}

Result<SignalRelay> SignalRelay::open() {
  const sigset_t set = relayed_set();
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid() || ::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
    return fail(Error::from_errno(errno, "catch signals"));
  }
  return SignalRelay(std::move(fd));
}

void SignalRelay::restore() const {
  const sigset_t set = relayed_set();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void SignalRelay::pass_on(pid_t child) const {
  signalfd_siginfo info = {};
  while (::read(fd_.get(), &info, sizeof(info)) == sizeof(info)) {
    const bool from_the_terminal = info.ssi_code == SI_KERNEL;
    if (info.ssi_signo != SIGCHLD && !from_the_terminal) {
      ::kill(child, static_cast<int>(info.ssi_signo));
    }
  }
}

Result<int> SignalRelay::wait(pid_t child, int log_fd, const std::function<void()>& on_log) const {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) {
      on_log();
      return status_of(status);
    }
    if (ended < 0 && errno != EINTR) {
      return fail(Error::from_errno(errno, "wait for process " + std::to_string(child)));
    }
    std::array<pollfd, 2> watched = {{{fd_.get(), POLLIN, 0}, {log_fd, POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
      return fail(Error::from_errno(errno, "wait for process " + std::to_string(child)));
    }
    if (watched[1].revents != 0) {
      on_log();
    }
    pass_on(child);
  }
}

Result<pid_t> fork_bound() {
  const pid_t parent = ::getpid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t child = ::fork();
  if (child < 0) {
    return fail(Error::from_errno(errno, "start a process"));
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
      ::_exit(kExitKernel);  // it died before the kernel was asked to tell
    }
  }
  return child;
}

void end_descendants() {
  // Each round kills the generation that the last one orphaned. A process that keeps forking is
  // outrun because its parent is gone before it is: rounds are bounded all the same.
  for (int round = 0; round < kKillRounds; ++round) {
    std::error_code ignored;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
      std::ifstream children(task.path() / "children");
      for (pid_t child = 0; children >> child;) {
        ::kill(child, SIGKILL);
      }
    }
    if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) {
      return;
    }
  }
}

void hide_inherited_sockets() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    struct stat status = {};
    if (fd <= STDERR_FILENO || ::fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode)) {
      continue;
    }
    int domain = AF_UNIX;
    socklen_t size = sizeof(domain);
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) {
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
  }
}

}  // namespace particle::cli
