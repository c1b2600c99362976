// SPDX-License-Identifier: Apache-2.0
#include "local/process.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace particle::sprocket {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> open_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(Error::from_errno(errno, "pipe2"));
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void set_nonblocking(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

struct Pipes {
  Pipe input, output, error, verdict;  ///< verdict: exec's errno, if it fails
};

[[noreturn]] void become(const Pipes& pipes, const std::vector<char*>& command,
                         const std::vector<char*>& environment, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::dup2(pipes.input.read.get(), STDIN_FILENO);
  ::dup2(pipes.output.write.get(), STDOUT_FILENO);
  ::dup2(pipes.error.write.get(), STDERR_FILENO);
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (char* each : environment) {
    if (each != nullptr) ::putenv(each);
  }
  ::execvp(command.front(), command.data());
  const int why = errno;
  (void)!::write(pipes.verdict.write.get(), &why, sizeof why);
  ::_exit(1);
}

}  // namespace

void LocalProcess::signal(int number) const {
  // The group first: it is made by the child itself, which may not have come that far.
  if (number == SIGKILL) ::kill(-pid, number);
  ::kill(pid, number);
}

Result<LocalProcess> start_process(const std::vector<std::string>& command,
                                   const std::vector<std::string>& environment) {
  Pipes pipes;
  for (Pipe* each : {&pipes.input, &pipes.output, &pipes.error, &pipes.verdict}) {
    auto made = open_pipe();
    if (!made) return fail(std::move(made.error()));
    *each = std::move(*made);
  }
  const auto words = pointers(command);
  const auto variables = pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(Error::from_errno(errno, "fork"));
  if (child == 0) become(pipes, words, variables, parent);
  pipes.verdict.write.reset();
  int why = 0;
  if (::read(pipes.verdict.read.get(), &why, sizeof why) == sizeof why) {
    ::waitpid(child, nullptr, 0);
    return fail(Error::from_errno(why, "exec " + command.front()));
  }
  LocalProcess process;
  process.pid = child;
  process.handle = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  process.input = std::move(pipes.input.write);
  process.output = std::move(pipes.output.read);
  process.error = std::move(pipes.error.read);
  if (!process.handle.valid()) {
    const int error = errno;
    process.signal(SIGKILL);
    ::waitpid(child, nullptr, 0);
    return fail(Error::from_errno(error, "pidfd_open"));
  }
  for (const UniqueFd* fd : {&process.input, &process.output, &process.error}) set_nonblocking(*fd);
  return process;
}

}  // namespace particle::sprocket
