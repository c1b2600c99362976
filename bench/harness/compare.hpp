// SPDX-License-Identifier: Apache-2.0
/// Two runs, figure by figure: what became slower or faster, and how sure that is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/record.hpp"

namespace particle::bench {

/// The ratio of two samples' times, and where it lies. The estimate is Hodges and Lehmann's (the
/// median of all ratios of a value of `b` to one of `a`); the interval is the one that belongs to the
/// two-sided rank test of Mann and Whitney, from its exact distribution: no normality is assumed, and
/// single wild values move neither.
struct Shift {
  double ratio = 1;
  /// Unset: too few values for the confidence that was asked for.
  std::optional<double> low;
  std::optional<double> high;
  double p = 1;  ///< of the same test
};

/// Pure. `confidence` as in 0.95; values must be above 0, others are left out.
Shift estimate_shift(const Series& a, const Series& b, double confidence);

enum class Change : std::uint8_t { same, slower, faster, unsure };
std::string_view to_string(Change change) noexcept;

struct Line {
  std::string design;
  std::uint64_t endpoints = 0;
  std::string what;  ///< "setup", "gone"
  double before_ms = 0;
  double after_ms = 0;
  Shift shift;
  /// `slower` and `faster`: the whole interval lies beyond the threshold. `same`: it lies within.
  Change change = Change::unsure;
};

struct ComparisonOptions {
  double confidence = 0.95;
  double threshold = 0.05;  ///< a change of less than 5% is none
};

struct RunComparison {
  std::vector<Line> lines;
  std::vector<std::string> warnings;  ///< other machine, kernel or build; figures only one run has
  [[nodiscard]] std::size_t count(Change change) const;
};

RunComparison compare(const Record& before, const Record& after, const ComparisonOptions& options);

}  // namespace particle::bench
