// SPDX-License-Identifier: Apache-2.0
#include "launcher/program.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::fleet {
namespace {

struct Pipe {
  UniqueFd read_end, write_end;
  static Result<Pipe> open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(Error::from_errno(errno, "make a pipe"));
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
};

Result<pid_t> start(const std::vector<std::string>& argv, int out, int error) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  ::posix_spawn_file_actions_adddup2(&actions, error, 2);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, words[0], &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return fail(Error::from_errno(failed, "run " + argv.front()));
  return pid;
}

/// Both streams to their ends.
void read_both(int out, int error, std::string& text, std::string& complaint) {
  std::array<pollfd, 2> open = {{{out, POLLIN, 0}, {error, POLLIN, 0}}};
  std::array<char, 16384> piece{};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (::poll(open.data(), open.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      const ssize_t size = ::read(open[i].fd, piece.data(), piece.size());
      if (size <= 0) {
        open[i].fd = -1;
      } else {
        (i == 0 ? text : complaint).append(piece.data(), static_cast<std::size_t>(size));
      }
    }
  }
}

}  // namespace

Result<std::string> run_program(const std::vector<std::string>& argv) {
  Result<Pipe> out = Pipe::open();
  if (!out) return fail(out.error());
  Result<Pipe> error = Pipe::open();
  if (!error) return fail(error.error());
  const Result<pid_t> pid = start(argv, out->write_end.get(), error->write_end.get());
  if (!pid) return fail(pid.error());
  out->write_end.reset();
  error->write_end.reset();
  std::string text;
  std::string complaint;
  read_both(out->read_end.get(), error->read_end.get(), text, complaint);
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  std::string shown;
  for (const std::string& word : argv) shown += (shown.empty() ? "" : " ") + word;
  Error failed = Error::of(Errc::io, shown);
  failed.kernel_message = complaint.substr(0, complaint.find('\n'));
  return fail(std::move(failed));
}

}  // namespace particle::fleet
