// SPDX-License-Identifier: Apache-2.0
/// The command that follows `--`: becoming it, and being its parent.
#pragma once

#include <functional>

#include <sys/types.h>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "context.hpp"

namespace particle::cli {

/// Becomes the command. Returns only when that fails, with the exit code to end with.
Result<int> become_command(const Context& context);

/// Catches the signals that end or steer a command, so that a parent can pass them on. From
/// construction on they wait in the descriptor; the child must call restore() before exec.
class SignalRelay {
 public:
  /// Errors: exhausted.
  static Result<SignalRelay> open();
  void restore() const;
  /// Waits for `child`, passes on what others send meanwhile, and calls `on_log` whenever `log_fd`
  /// (-1: none) is readable. Returns the status a shell would show: 128 + number for a signal.
  /// What the terminal sends reaches the whole foreground group anyway and is not passed on.
  [[nodiscard]] Result<int> wait(pid_t child, int log_fd,
                                 const std::function<void()>& on_log) const;

 private:
  explicit SignalRelay(UniqueFd fd) : fd_(std::move(fd)) {}
  void pass_on(pid_t child) const;
  UniqueFd fd_;
};

/// A child that dies with this process; what it leaves behind becomes this process's. Returns 0 in the
/// child. Errors: exhausted.
Result<pid_t> fork_bound();

/// Kills what a child left behind, and its descendants, until nothing is there.
void end_descendants();

/// Sockets of the node's own namespace must not reach a command that lives in another: they become
/// close-on-exec, the three standard streams excepted.
void hide_inherited_sockets();

}  // namespace particle::cli
