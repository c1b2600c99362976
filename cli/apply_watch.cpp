// SPDX-License-Identifier: Apache-2.0
#include "apply_watch.hpp"

#include <csignal>
#include <cstdlib>

#include "log.hpp"
#include "signals.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

std::size_t step_from_environment(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : parse_number(text).value_or(0);
}

}  // namespace

ApplyWatch::ApplyWatch(bool step_times)
    : crash_after_(step_from_environment("PARTICLE_CRASH_AFTER_STEP")),
      stop_after_(step_from_environment("PARTICLE_STOP_AFTER_STEP")) {
  options_.stop = stop_on_signals();
  options_.step_by_step = step_times;
  if (crash_after_ != 0 || stop_after_ != 0 || progress_.enabled() || log_enabled()) {
    options_.after_step = [this](std::size_t number, std::size_t count, const Step& step) {
      after_step(number, count, step);
    };
  }
  if (progress_.enabled()) {
    progress_.set_label("working");
    options_.progress = [this](std::size_t done, std::size_t total) {
      progress_.update(done, total);
    };
  }
}

void ApplyWatch::after_step(std::size_t number, std::size_t count, const Step& step) {
  if (number == crash_after_) {
    std::raise(SIGKILL);
  }
  if (number == stop_after_) {
    std::raise(SIGINT);
  }
  log_info("step " + std::to_string(number) + "/" + std::to_string(count) + " " + step.name + ": " +
           step.what);
  progress_.set_label("after " + step.name);
  progress_.update(number, count);
}

}  // namespace particle::cli
