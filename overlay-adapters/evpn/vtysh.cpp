// SPDX-License-Identifier: Apache-2.0
#include "evpn/vtysh.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::overlay::evpn {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kLimit{5};
constexpr std::size_t kLargest = 16U << 20U;

struct Child {
  pid_t pid = -1;
  UniqueFd output;  ///< both streams: vtysh complains on either
};

Result<Child> start(std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(Error::from_errno(errno, "pipe"));
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;  // the agent blocks signals, which its children must not
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  Child child;
  const int error = ::posix_spawnp(&child.pid, words.front().c_str(), &actions, &attributes,
                                   argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return fail(Error::from_errno(error, "run " + words.front(),
                                  "it comes with FRR; --evpn-vtysh names another place"));
  }
  child.output = std::move(read_end);
  return child;
}

/// Everything it prints; nothing when the time is over.
std::optional<std::string> read_all(int fd) {
  const auto deadline = Clock::now() + kLimit;
  std::string text;
  std::array<char, 16384> buffer{};
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd event{.fd = fd, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || text.size() > kLargest) return std::nullopt;
    const int ready = ::poll(&event, 1, static_cast<int>(left.count()));
    if (ready == 0) return std::nullopt;
    if (ready < 0) continue;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

Result<std::string> ask_vtysh(const std::string& program, const std::string& sockets,
                              const std::string& command) {
  std::vector<std::string> words{program};
  if (!sockets.empty()) words.insert(words.end(), {"--vty_socket", sockets});
  words.insert(words.end(), {"-c", command});
  auto child = start(words);
  if (!child) return fail(std::move(child.error()));
  auto text = read_all(child->output.get());
  if (!text) ::kill(child->pid, SIGKILL);
  int status = 0;
  while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!text)
    return fail(Error::of(Errc::io, "vtysh -c '" + command + "' does not end within 5 seconds"));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return fail(Error::of(Errc::io, "FRR does not answer `" + command + "`: " + first_line(*text),
                          "are zebra and bgpd running?"));
  }
  return *std::move(text);
}

}  // namespace particle::overlay::evpn
