// SPDX-License-Identifier: Apache-2.0
/// A place for a container engine: mounts, process ids and control groups of its own. Whatever runs
/// in it ends with it, and it ends with the calling process, even by a kill.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/netns.hpp>

#include "engines/programs.hpp"

namespace particle::bench {

/// How many clients of an engine work at a time.
inline constexpr unsigned kAtATime = 8;

class Box {
 public:
  /// On `node`, whose network it has. `directory` is for its files and outlives it; pools are below
  /// `run_dir`. Both must be on a mount that the box will share: enter_private_mounts() makes /run
  /// one. `script` is run by sh with `words` as its parameters; it prepares and then becomes the
  /// engine (or something that only waits).
  /// To be called by the main thread: the kernel ends the box with the thread that made it.
  /// Errors: those of posix_spawn(3).
  static Result<Box> enter(const NetNs& node, const std::string& directory,
                           const std::string& run_dir, const std::string& script,
                           const Words& words);
  Box(Box&& other) noexcept;
  Box& operator=(Box&&) = delete;
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;
  /// Kills everything inside, waits until it is gone, removes the control groups.
  ~Box();

  /// The words that run a command inside, for who starts it himself.
  [[nodiscard]] Words inside(const Words& words) const;
  /// Runs a command inside, to its end. Errors: kernel, with what it last said.
  [[nodiscard]] Result<void> run(const Words& words) const;
  /// Every command, at most `kAtATime` at once; the first error. A stop lets those that run end,
  /// and starts no more. Errors: as run(), interrupted.
  [[nodiscard]] Result<void> run_all(const std::vector<Words>& commands,
                                     const std::stop_token& stop) const;
  /// The same with what it prints. Errors: as run().
  [[nodiscard]] Result<std::string> output_of(const Words& words) const;
  /// Runs it again and again until it works. Errors: busy after 30 seconds, with the engine's last
  /// words.
  [[nodiscard]] Result<void> wait_until(const Words& words) const;

  /// The parent of its containers' control groups, no other box's.
  [[nodiscard]] const std::string& group() const { return group_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  /// Memory of all processes inside that is theirs alone, in KiB.
  [[nodiscard]] double memory_kib() const;

 private:
  Box(std::string directory, std::string group);
  [[nodiscard]] Result<pid_t> start(const Words& words, int output) const;
  [[nodiscard]] Result<void> wait(pid_t process, const Words& words) const;

  std::string directory_;
  std::string group_;
  pid_t launcher_ = -1;
  pid_t first_ = -1;  ///< the first process inside, as this namespace numbers it
};

/// Runs a command to its end, outside any box; `directory` takes what it says. Errors: as Box::run().
Result<void> run_here(const Words& words, const std::string& directory);

/// Removes the control groups of boxes whose process was killed.
void sweep_control_groups();

}  // namespace particle::bench
