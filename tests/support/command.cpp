// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error(std::string("pipe2: ") + std::strerror(errno));
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// In the child, where only async-signal-safe calls are allowed: other threads may exist.
[[noreturn]] void become(char* const* argv, int netns_fd, int out, int err) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDONLY);
  const bool ready = (netns_fd < 0 || setns(netns_fd, CLONE_NEWNET) == 0) && null >= 0 &&
                     dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
                     dup2(err, STDERR_FILENO) >= 0;
  if (ready) execvp(argv[0], argv);
  const char* reason = strerrordesc_np(errno);
  if (write(err, reason, std::strlen(reason)) < 0) _exit(126);
  _exit(127);
}

/// Appends what is there. False at the end of the stream.
bool drain(UniqueFd& fd, std::string& text) {
  std::array<char, 65536> buffer{};
  const ssize_t size = read(fd.get(), buffer.data(), buffer.size());
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (size <= 0) {
    fd.reset();
    return false;
  }
  text.append(buffer.data(), static_cast<std::size_t>(size));
  return true;
}

int milliseconds_until(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return left.count() <= 0 ? 0 : static_cast<int>(left.count());
}

}  // namespace

Command::Command(const std::vector<std::string>& argv, const NetNs* netns) {
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const int netns_fd = netns == nullptr ? -1 : netns->fd();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (pid_ == 0) become(pointers.data(), netns_fd, out.writer.get(), err.writer.get());
  out_fd_ = std::move(out.reader);
  err_fd_ = std::move(err.reader);
}

Command::~Command() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Command::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

bool Command::pump(Deadline deadline) {
  if (!out_fd_.valid() && !err_fd_.valid()) return false;
  // poll ignores entries with fd -1, which is what a closed UniqueFd holds.
  std::array<pollfd, 2> waiting{{{out_fd_.get(), POLLIN, 0}, {err_fd_.get(), POLLIN, 0}}};
  if (poll(waiting.data(), waiting.size(), milliseconds_until(deadline)) > 0) {
    if (waiting[0].revents != 0) drain(out_fd_, result_.out);
    if (waiting[1].revents != 0) drain(err_fd_, result_.err);
  }
  return out_fd_.valid() || err_fd_.valid();
}

bool Command::wait_for_text(const std::string& text, std::chrono::milliseconds limit) {
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (result_.out.find(text) != std::string::npos ||
        result_.err.find(text) != std::string::npos) {
      return true;
    }
    if (std::chrono::steady_clock::now() >= deadline) return false;
    if (!out_fd_.valid() && !err_fd_.valid()) return false;
    pump(deadline);
  }
}

bool Command::wait_for_next(const std::string& text, std::chrono::milliseconds limit) {
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const std::size_t at = result_.err.find(text, found_);
    if (at != std::string::npos) {
      found_ = at + text.size();
      return true;
    }
    if (std::chrono::steady_clock::now() >= deadline || !err_fd_.valid()) return false;
    pump(deadline);
  }
}

void Command::skip_text() {
  std::size_t before = 0;
  do {
    before = result_.err.size() + result_.out.size();
    pump(std::chrono::steady_clock::now());
  } while (result_.err.size() + result_.out.size() != before);
  found_ = result_.err.size();
}

CommandResult Command::finish(std::chrono::milliseconds limit) {
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  while (pump(deadline)) {
    if (std::chrono::steady_clock::now() < deadline) continue;
    kill(pid_, SIGKILL);
    break;
  }
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result_;
}

CommandResult run_command(const std::vector<std::string>& argv, const NetNs* netns) {
  return Command(argv, netns).finish();
}

}  // namespace particle::test
