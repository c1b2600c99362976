// SPDX-License-Identifier: Apache-2.0
#include "demo/facts.hpp"

#include <algorithm>

namespace particle::cli::demo {

std::chrono::nanoseconds without_vtep(const Pool& pool) {
  auto time = pool.took;
  for (const auto& step : pool.outcome.steps) {
    if (step.stage == Stage::vtep) time -= step.took;
  }
  return time;
}

std::chrono::nanoseconds Facts::pool_time() const {
  std::vector<std::chrono::nanoseconds> times;
  for (const auto& pool : pools) times.push_back(without_vtep(pool));
  if (times.empty()) return {};
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

bool Facts::proven() const {
  const auto proof = [](const auto& item) { return item.proven(); };
  return !traffic.empty() && !checks.empty() &&
         std::all_of(traffic.begin(), traffic.end(), proof) &&
         std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.proven; });
}

}  // namespace particle::cli::demo
