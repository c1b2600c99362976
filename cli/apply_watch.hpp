// SPDX-License-Identifier: Apache-2.0
/// Watches a plan being applied: progress, log, interruption, and the crashes that tests inject.
#pragma once

#include <cstddef>

#include <particle/plan.hpp>

#include "progress.hpp"

namespace particle::cli {

/// Keeps itself alive in the options' callbacks: it must outlive the operation.
class ApplyWatch {
 public:
  /// `step_times`: whether each step's own time will be told.
  explicit ApplyWatch(bool step_times);
  ApplyWatch(const ApplyWatch&) = delete;
  ApplyWatch& operator=(const ApplyWatch&) = delete;
  [[nodiscard]] const ApplyOptions& options() const noexcept { return options_; }

 private:
  void after_step(std::size_t number, std::size_t count, const Step& step);

  Progress progress_;
  std::size_t crash_after_ = 0;  ///< PARTICLE_CRASH_AFTER_STEP, 0: never
  std::size_t stop_after_ = 0;   ///< PARTICLE_STOP_AFTER_STEP
  ApplyOptions options_;
};

}  // namespace particle::cli
