// SPDX-License-Identifier: Apache-2.0
#include "spawn/init.hpp"

#include <csignal>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "spawn/instance.hpp"

namespace particle::fleet::spawn {
namespace {

std::vector<char*> words(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

/// vfork: the child has our memory until it has run exec, so that we know how that went. Between the two it calls
/// the kernel and nothing else.
// NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
pid_t start_command(char* const* argv, const sigset_t& none, int& error) {
  volatile int failed = 0;
  const pid_t child = ::vfork();
  if (child == 0) {
    ::setsid();
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvp(argv[0], argv);
    failed = errno;
    ::_exit(127);
  }
  error = child < 0 ? errno : failed;
  return child;
}
// NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)

/// True when the command is among those that have ended.
bool reap(pid_t command, Slot& slot) {
  int status = 0;
  for (pid_t gone = ::waitpid(-1, &status, WNOHANG); gone > 0;
       gone = ::waitpid(-1, &status, WNOHANG)) {
    if (gone == command) {
      slot.status = status;
      slot.ended = true;
      return true;
    }
  }
  return false;
}

}  // namespace

int relay_signal() {
  return SIGRTMAX;
}

void run_init(const Start& start, int notify, int number, Slot& slot) {
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  const std::vector<char*> argv = words(start.command);
  std::vector<char*> environment = words(start.environment);
  environ = environment.data();  // also where exec finds PATH
  int error = 0;
  const pid_t command = start_command(argv.data(), none, error);
  if (error != 0) {
    slot.failure = failure(error, "exec", start.command.front());
    ::_exit(1);
  }
  slot.started_at = now();
  static_cast<void>(::write(notify, &number, sizeof(number)));
  ::close(notify);
  for (int stream = 0; stream < 3; ++stream) ::close(stream);
  for (;;) {
    siginfo_t info = {};
    const int signal = ::sigwaitinfo(&all, &info);
    if (signal == SIGCHLD && reap(command, slot)) ::_exit(0);
    if (signal <= 0 || signal == SIGCHLD) continue;
    ::kill(command, signal == relay_signal() ? info.si_value.sival_int : signal);
  }
}

}  // namespace particle::fleet::spawn
