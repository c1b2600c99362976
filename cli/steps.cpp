// SPDX-License-Identifier: Apache-2.0
#include "steps.hpp"

#include <algorithm>

#include "text.hpp"

namespace particle::cli {
namespace {

bool comes_after_moves(Stage stage) noexcept {
  return stage == Stage::s5_attach || stage == Stage::s6_addresses;
}

}  // namespace

double to_ms(std::chrono::nanoseconds time) noexcept {
  return std::chrono::duration<double, std::milli>(time).count();
}

bool makes_a_pool(const Outcome& outcome) noexcept {
  return std::any_of(outcome.steps.begin(), outcome.steps.end(),
                     [](const StepTime& step) { return step.stage == Stage::s2_veth; });
}

std::string plan_to_text(const Plan& plan, const Style& style) {
  Table table({"#", "STAGE", "STEP", "WHAT"});
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    table.add({std::to_string(i + 1), std::string(to_string(step.stage)), step.name, step.what});
  }
  return table.to_string(style);
}

std::string timings_to_text(const Outcome& outcome, const Style& style) {
  Table table({"STAGE", "MS", "STEP", "WHAT"});
  bool moves_due = makes_a_pool(outcome);
  bool veth_seen = false;
  const auto say_moves = [&] {
    table.add({"S3", "-", "", kBornInPlace});
    table.add({"S4", "-", "", kBornInPlace});
    moves_due = false;
  };
  for (const StepTime& step : outcome.steps) {
    if (moves_due && veth_seen && comes_after_moves(step.stage)) {
      say_moves();
    }
    veth_seen = veth_seen || step.stage == Stage::s2_veth;
    table.add(
        {std::string(to_string(step.stage)), format_ms(to_ms(step.took)), step.name, step.what});
  }
  if (moves_due) {
    say_moves();
  }
  table.add({"total", format_ms(to_ms(outcome.total)), "", ""});
  return table.to_string(style);
}

}  // namespace particle::cli
