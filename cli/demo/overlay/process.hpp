// SPDX-License-Identifier: Apache-2.0
/// A daemon of the demo's own: it lives in a node's namespace and ends with this process, however that
/// ends.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/netns.hpp>

namespace particle::cli::demo {

class Process {
 public:
  /// Starts `argv` (argv[0] is a path) in `netns`; what it says goes to the file `log`. From the main
  /// thread only: the kernel kills it when the thread that started it ends.
  /// Errors: the errno of fork(2) or open(2). One that cannot be run ends at once, with status 127.
  static Result<Process> start(const std::vector<std::string>& argv, const NetNs& netns,
                               const std::string& log);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// SIGTERM, and SIGKILL when that took it more than two seconds.
  ~Process();

  /// Whether it still runs.
  [[nodiscard]] bool runs();
  /// Of one that has ended by itself, as a shell gives it: 128 and the signal for one that was killed.
  [[nodiscard]] int exit_status() const noexcept { return status_; }
  /// The last lines it said.
  [[nodiscard]] std::string last_words() const;

 private:
  Process(pid_t pid, std::string log) : pid_(pid), log_(std::move(log)) {}
  void end();

  pid_t pid_ = -1;
  int status_ = -1;
  std::string log_;
};

/// The program `name`: in one of `folders` below the unpacked components ($PARTICLE_COMPONENTS, or
/// build/components of the tree that this program was built in), else of the system, else in PATH.
/// Errors: not_found, with `package` to install.
Result<std::string> find_program(const std::string& name, const std::vector<std::string>& folders,
                                 const std::string& package);
/// What LD_LIBRARY_PATH must be for programs of the components; empty when there are none.
std::string component_libraries();

}  // namespace particle::cli::demo
