// SPDX-License-Identifier: Apache-2.0
/// What a create needs from the kernel whatever the records say, made while they are read.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <particle/netns.hpp>

#include "netns/worker.hpp"

namespace particle {

/// The pool's namespace (0.6 ms, nearly all of it in the kernel's setup_net) and a session in the
/// tenant's VTEP, made on a thread of its own while the caller checks its input, takes its locks, reads
/// records, plans and writes down its intent, which takes half of that. The thread then pins the
/// namespace while the caller makes devices.
///
/// Nobody sees any of it before it is pinned: dropped unused, or with the process, it is gone. Making
/// never fails: what could not be made is missing, and the step that needs it makes it itself, or
/// reports why not.
///
/// Threads: one caller. Whatever it has not asked for when this goes out of scope is not done.
class HeadStart {
 public:
  struct Made {
    std::optional<FreshNetNs> pool;
    std::vector<Sysctl> sysctls;  ///< written in `pool`
    std::optional<FreshNetNs> vtep;
  };

  /// Begins with an empty namespace.
  HeadStart();
  ~HeadStart();
  HeadStart(const HeadStart&) = delete;
  HeadStart& operator=(const HeadStart&) = delete;

  /// Writes the sysctls and opens the VTEP. Once, and only under the tenant's lock: whoever does not
  /// hold it might open a VTEP that is just being replaced.
  void furnish(std::vector<Sysctl> pool_sysctls, std::string vtep_pin);

  /// Waits for what was made. Once.
  Made take();

  /// Lets the thread do one thing more while the caller goes on. Once, after take().
  void go_on(detail::Work work);

  /// Waits for the thread's end; where no thread could be made, does go_on's work itself.
  /// Errors: those of go_on's work, once.
  Result<void> finish();

 private:
  /// How far the thread is, and how far it may go.
  enum class Stage : int { begun, has_netns, furnished, ended };

  Result<void> run();
  void advance(Stage stage);
  void permit(Stage stage);
  static Stage wait_for(const std::atomic<Stage>& reached, Stage stage);

  std::atomic<Stage> progress_{Stage::begun};
  std::atomic<Stage> permitted_{Stage::has_netns};
  Made made_;             // the thread's until it is furnished
  std::string vtep_pin_;  // the caller's until furnishing is permitted, as are made_.sysctls
  detail::Work work_;     // the caller's until the end is permitted
  std::optional<detail::Worker> worker_;
};

}  // namespace particle
