// SPDX-License-Identifier: Apache-2.0
/// Books time on the steps of figure 3.1, and marks them for tracers.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include <particle/marks.hpp>

#include "baselines/baseline.hpp"

namespace particle::baselines {

class StepClock {
 public:
  explicit StepClock(Run& run) : run_(run) {}
  StepClock(const StepClock&) = delete;
  StepClock& operator=(const StepClock&) = delete;
  ~StepClock() { end(); }

  /// Step `step` (from 1) begins, and what went on before ends.
  void begin(std::size_t step) {
    end();
    step_ = step;
    start_ = std::chrono::steady_clock::now();
    mark_step_begin(name());
  }
  /// Nothing goes on any more.
  void end() {
    if (step_ == 0) return;
    mark_step_end(name());
    run_.steps.at(step_ - 1) += std::chrono::steady_clock::now() - start_;
    step_ = 0;
  }

 private:
  [[nodiscard]] const char* name() const {
    static constexpr std::array kNames{"S1", "S2", "S3", "S4", "S5", "S6"};
    return kNames.at(step_ - 1);
  }

  Run& run_;
  std::size_t step_ = 0;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace particle::baselines
