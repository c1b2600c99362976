// SPDX-License-Identifier: Apache-2.0
#include "harness/stats.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace particle::bench {

double to_ms(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

double Series::quantile(double fraction) const {
  if (values_.empty()) return 0;
  auto sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const double at = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - std::floor(at));
}

Json Series::to_json() const {
  return {{"median", median()},   {"q1", quantile(0.25)}, {"q3", quantile(0.75)},
          {"min", quantile(0.0)}, {"max", quantile(1.0)}, {"repeats", values_.size()}};
}

std::string Series::to_text() const {
  std::array<char, 96> buffer{};
  int digits = 0;
  if (median() < 1000) digits = median() < 10 ? 3 : 1;
  std::snprintf(buffer.data(), buffer.size(), "%.*f [%.*f..%.*f]", digits, median(), digits,
                quantile(0.25), digits, quantile(0.75));
  return buffer.data();
}

Result<void> interleave(std::size_t repeats, const Measure& a, const Measure& b, Series& in_a,
                        Series& in_b) {
  const auto once = [](const Measure& measure, Series* into) -> Result<void> {
    auto value = measure();
    if (!value) return fail(std::move(value.error()));
    if (into != nullptr) into->add(*value);
    return {};
  };
  for (std::size_t round = 0; round <= repeats; ++round) {
    const bool warm = round > 0;
    Series* const for_a = warm ? &in_a : nullptr;
    Series* const for_b = warm ? &in_b : nullptr;
    const bool a_first = round % 2 == 0;
    auto done = a_first ? once(a, for_a) : once(b, for_b);
    if (!done) return done;
    done = a_first ? once(b, for_b) : once(a, for_a);
    if (!done) return done;
  }
  return {};
}

}  // namespace particle::bench
