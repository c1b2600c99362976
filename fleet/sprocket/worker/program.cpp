// SPDX-License-Identifier: Apache-2.0
#include "worker/program.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "worker/memory_file.hpp"

namespace particle::sprocket {
namespace {

constexpr int kNoProgram = 127;

/// In the child: the descriptors first move out of the way of the numbers they shall get.
[[noreturn]] void become(const Program& program, const std::vector<char*>& arguments,
                         int error_file, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kNoProgram);
  constexpr int kAside = 100;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  std::vector<std::pair<int, int>> moved{{0, null}, {1, null}, {2, error_file}};
  moved.insert(moved.end(), program.descriptors.begin(), program.descriptors.end());
  for (auto& [theirs, ours] : moved) ours = ::fcntl(ours, F_DUPFD_CLOEXEC, kAside);
  for (const auto& [theirs, ours] : moved) {
    if (ours < 0 || ::dup2(ours, theirs) < 0) ::_exit(kNoProgram);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvp(arguments.front(), arguments.data());
  const int why = errno;
  ::dprintf(2, "%s\n", std::strerror(why));
  ::_exit(kNoProgram);
}

std::string last_lines(const std::string& text) {
  constexpr std::size_t kMost = 600;
  std::string end = text.size() > kMost ? text.substr(text.size() - kMost) : text;
  while (!end.empty() && end.back() == '\n') end.pop_back();
  std::replace(end.begin(), end.end(), '\n', ';');
  return end;
}

}  // namespace

Result<void> run_program(const Program& program) {
  auto error_file = open_memory_file("stderr");
  if (!error_file) return fail(std::move(error_file.error()));
  std::vector<char*> arguments;
  for (const std::string& word : program.arguments) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(Error::from_errno(errno, "fork for " + program.arguments.front()));
  if (child == 0) become(program, arguments, error_file->get(), parent);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail(Error::from_errno(errno, "waitpid"));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  auto words = read_whole(error_file->get(), "standard error");
  const bool missing = WIFEXITED(status) && WEXITSTATUS(status) == kNoProgram;
  Error error = Error::of(missing ? Errc::not_found : Errc::kernel, program.arguments.front());
  if (missing) {
    error.hint = "the image of the pipeline's workers must have " + program.arguments.front();
  } else {
    error.operation += WIFSIGNALED(status) ? ": ended by signal " + std::to_string(WTERMSIG(status))
                                           : ": exit status " + std::to_string(WEXITSTATUS(status));
  }
  if (words) error.kernel_message = last_lines(*words);
  return fail(std::move(error));
}

}  // namespace particle::sprocket
