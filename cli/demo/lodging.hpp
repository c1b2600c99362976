// SPDX-License-Identifier: Apache-2.0
/// Where the demo keeps its records and pins.
#pragma once

#include <string>

#include "demo/facts.hpp"
#include "demo/topology.hpp"

namespace particle::cli::demo {

/// Usually a directory that only this process sees: in a mount namespace of its own, so that the
/// machine is as it was even after a kill -9. With `keep` a directory that everybody sees.
class Lodging {
 public:
  /// Becomes root of a user namespace where privileges are missing. The process must have a single
  /// thread. Errors: permission_denied, with a hint.
  static Result<Lodging> enter(bool keep);
  Lodging(Lodging&& other) noexcept;
  Lodging& operator=(Lodging&&) = delete;
  Lodging(const Lodging&) = delete;
  Lodging& operator=(const Lodging&) = delete;
  /// Removes the directory, unless leave_up() was called.
  ~Lodging();

  [[nodiscard]] const std::string& run_dir() const noexcept { return directory_; }
  [[nodiscard]] bool unprivileged() const noexcept { return unprivileged_; }

  /// Pins the nodes and leaves everything up. In a user namespace a process in the background holds
  /// it; its pid is returned, otherwise 0.
  Result<pid_t> leave_up(const Topology& topology);

 private:
  Lodging(std::string directory, bool visible, bool unprivileged);

  std::string directory_;
  bool visible_ = false;  ///< to the rest of the system
  bool unprivileged_ = false;
};

/// The pin of a node below a kept demo's directory.
std::string node_pin(const std::string& directory, std::size_t node);

/// Removes what `demo --keep` left at `directory`.
/// Errors: not_found unless it is such a directory.
Result<void> remove_kept(const std::string& directory);

}  // namespace particle::cli::demo
