// SPDX-License-Identifier: Apache-2.0
#include "child.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace particle::runtime {
namespace {

constexpr int kExitCannotRun = 126;

/// A service manager's listening sockets are addressed to a process: to the one that execs.
void readdress_listening_sockets(pid_t parent) {
  const char* addressee = std::getenv("LISTEN_PID");
  if (addressee != nullptr && std::to_string(parent) == addressee) {
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  }
}

/// What the wrapper changes about signals while it waits, and what the runtime gets back.
class SignalState {
 public:
  SignalState() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &mask_);
    // An ignored SIGCHLD, inherited, would keep the runtime's exit status from us.
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &standard, &child_action_);
  }
  void restore() const {
    ::sigaction(SIGCHLD, &child_action_, nullptr);
    ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
  }

 private:
  sigset_t mask_{};
  struct sigaction child_action_{};
};

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int wait_and_forward(pid_t child) {
  sigset_t all;
  ::sigfillset(&all);
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return exit_status(status);
    if (ended < 0 && errno != EINTR) return kExitCannotRun;
    siginfo_t info{};
    const int number = ::sigwaitinfo(&all, &info);
    // The terminal signals its whole foreground group, which the runtime is in.
    if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL) ::kill(child, number);
  }
}

}  // namespace

Error become(const std::string& runtime, const std::vector<std::string>& words) {
  std::vector<char*> pointers{const_cast<char*>(runtime.c_str())};
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  ::execv(runtime.c_str(), pointers.data());
  return Error::from_errno(errno, "execute " + runtime,
                           "PARTICLE_RUNC or the key runtime must name runc or crun");
}

Result<int> run_to_end(const std::string& runtime, const std::vector<std::string>& words) {
  const SignalState signals;
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    const int error = errno;
    signals.restore();
    return fail(Error::from_errno(error, "fork"));
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kExitCannotRun);  // killed before prctl
    readdress_listening_sockets(parent);
    signals.restore();
    const std::string words_of_failure = become(runtime, words).message() + "\n";
    static_cast<void>(::write(STDERR_FILENO, words_of_failure.data(), words_of_failure.size()) > 0);
    ::_exit(kExitCannotRun);
  }
  const int status = wait_and_forward(child);
  signals.restore();
  return status;
}

}  // namespace particle::runtime
