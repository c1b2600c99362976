// SPDX-License-Identifier: Apache-2.0
/// Real namespaces for tests, as root or as anybody.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <particle/netns.hpp>
#include <particle/result.hpp>
#include <particle/session.hpp>
#include <particle/types.hpp>

namespace particle::test {

/// The value, or an exception that fails the test with the error's words.
template <class T>
T must(Result<T> result) {
  if (!result)
    throw std::runtime_error(result.error().message() + " (" + result.error().hint + ")");
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Can this process make namespaces? Without privileges it first moves, once, into a user, network
/// and mount namespace of its own where it is root. When even that is refused it calls skip().
/// Call it first in a test case, before any thread is made:
///
///     if (!need_namespaces()) return;
bool need_namespaces();

/// Was the user namespace of need_namespaces() necessary?
bool in_test_user_ns();

/// As need_namespaces, for what a user namespace does not give: cgroup2, eBPF, and seccomp without
/// no_new_privs.
bool need_root();

/// Takes every capability from the calling thread, as setuid(2) to an ordinary user does; works in a
/// user namespace that maps no such user, too. There is no way back: call it in a child process.
bool drop_capabilities();

/// A directory below $TMPDIR, else /tmp, that goes away with everything in it and mounted on it.
class TempRunDir {
 public:
  TempRunDir();
  TempRunDir(const TempRunDir&) = delete;
  TempRunDir& operator=(const TempRunDir&) = delete;
  ~TempRunDir();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// `path()/name`.
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Two namespaces that play nodes, with a veth pair as the underlay, born in place: device
/// `underlay` in both, 192.0.2.1/24 and 2001:db8::1/64 on a, .2 and ::2 on b. Everything is up.
struct TwoNodes {
  NetNs a;
  NetNs b;
  Session session_a;
  Session session_b;
  IfIndex underlay_a;
  IfIndex underlay_b;
};
inline constexpr const char* kUnderlayDevice = "underlay";

/// Throws when the kernel refuses.
TwoNodes make_two_nodes(unsigned mtu = 1500);

struct CommandResult {
  int exit_code = -1;  ///< 128 + signal number when it was killed, 127 when it could not be started
  std::string out;
  std::string err;
};

/// A running child process with its output caught. Killed, and waited for, when it goes out of
/// scope.
class Command {
 public:
  /// Starts `argv` (argv[0] by PATH) in `netns`, or in the caller's namespace when null.
  explicit Command(const std::vector<std::string>& argv, const NetNs* netns = nullptr);
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  ~Command();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  /// Waits until stdout or stderr holds `text`; false when the time is over or the child ended.
  bool wait_for_text(const std::string& text,
                     std::chrono::milliseconds limit = std::chrono::seconds(10));
  /// The same of stderr, behind what the last call of this found, or what there was at skip_text().
  bool wait_for_next(const std::string& text, std::chrono::milliseconds limit);
  void skip_text();
  /// Waits for the end; kills the child when the time is over.
  CommandResult finish(std::chrono::milliseconds limit = std::chrono::seconds(60));

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  /// Reads what there is, waiting up to `deadline` for more. False at end of both streams.
  bool pump(Deadline deadline);

  pid_t pid_ = -1;
  UniqueFd out_fd_;
  UniqueFd err_fd_;
  CommandResult result_;
  std::size_t found_ = 0;  ///< in result_.err, by wait_for_next()
};

/// Runs a command to its end: `run_command({"ip", "-j", "addr"}, &node)`.
CommandResult run_command(const std::vector<std::string>& argv, const NetNs* netns = nullptr);

}  // namespace particle::test
