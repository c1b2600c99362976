// SPDX-License-Identifier: Apache-2.0
#include "harness/compare.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace particle::bench {
namespace {

std::vector<double> positive_sorted(const Series& series) {
  std::vector<double> values;
  std::copy_if(series.values().begin(), series.values().end(), std::back_inserter(values),
               [](double value) { return value > 0; });
  std::sort(values.begin(), values.end());
  return values;
}

/// P(U <= u) for every u from 0 to n * m, when both samples are of one distribution: the number of
/// ways to reach a sum of ranks, by the usual recurrence over n and m.
std::vector<double> rank_sum_distribution(std::size_t n, std::size_t m) {
  // The coefficients of the Gaussian binomial (n + m over n): built factor by factor.
  std::vector<double> ways(n * m + 1, 0.0);
  ways.at(0) = 1;
  for (std::size_t k = 1; k <= n; ++k) {
    // times (1 - q^(m+k))
    for (std::size_t u = ways.size(); u-- > m + k;) ways[u] -= ways[u - m - k];
    // over (1 - q^k)
    for (std::size_t u = k; u < ways.size(); ++u) ways[u] += ways[u - k];
  }
  double all = 0;
  for (const double each : ways) all += each;
  double sum = 0;
  for (double& each : ways) {
    sum += each;
    each = sum / all;
  }
  return ways;
}

/// How many of the smallest (and of the largest) ratios lie outside the interval; nothing when even
/// the whole range is not that sure.
std::optional<std::size_t> cut_off(const std::vector<double>& at_most, double confidence) {
  const double tail = (1 - confidence) / 2;
  if (at_most.empty() || at_most.front() > tail) return std::nullopt;
  std::size_t cut = 0;
  while (cut + 1 < at_most.size() && at_most[cut + 1] <= tail) ++cut;
  return cut;
}

/// By how much a pair of values counts for the second being larger: ties count half.
double larger(double first, double second) {
  if (second == first) return 0.5;
  return second > first ? 1 : 0;
}

double p_of(const std::vector<double>& a, const std::vector<double>& b,
            const std::vector<double>& at_most) {
  double u = 0;
  for (const double x : a) {
    for (const double y : b) u += larger(x, y);
  }
  const auto all = static_cast<double>(a.size() * b.size());
  const auto smaller = static_cast<std::size_t>(std::floor(std::min(u, all - u)));
  return std::min(1.0, 2 * at_most.at(smaller));
}

Change judge(const Shift& shift, double threshold) {
  if (!shift.low || !shift.high) return Change::unsure;
  const double above = 1 + threshold;
  const double below = 1 / above;
  if (*shift.low > above) return Change::slower;
  if (*shift.high < below) return Change::faster;
  if (*shift.low >= below && *shift.high <= above) return Change::same;
  return Change::unsure;
}

Line line_of(const Figure& before, const char* what, const Series& a, const Series& b,
             const ComparisonOptions& options) {
  Line line;
  line.design = before.design;
  line.endpoints = before.endpoints;
  line.what = what;
  line.before_ms = a.median();
  line.after_ms = b.median();
  line.shift = estimate_shift(a, b, options.confidence);
  line.change = judge(line.shift, options.threshold);
  return line;
}

/// What differs between the machines, and so forbids to blame the program.
void compare_machines(const Record& before, const Record& after, RunComparison& out) {
  for (const char* key : {"kernel", "architecture", "processor", "cpus", "memory", "build"}) {
    const Json a = before.machine.value(key, Json());
    const Json b = after.machine.value(key, Json());
    if (a != b) {
      out.warnings.push_back(std::string("the runs differ in ") + key + ": " + a.dump() + " and " +
                             b.dump());
    }
  }
  for (const auto* record : {&before, &after}) {
    if (record->complete) continue;
    out.warnings.push_back(std::string("the ") + (record == &before ? "first" : "second") +
                           " run was interrupted");
  }
}

void note_missing(const Record& from, const Record& in, const char* which, RunComparison& out) {
  for (const auto& figure : from.figures) {
    if (in.find(figure.design, figure.endpoints) != nullptr) continue;
    out.warnings.push_back(figure.design + ", N = " + std::to_string(figure.endpoints) +
                           ": only in the " + which + " run");
  }
}

}  // namespace

std::string_view to_string(Change change) noexcept {
  switch (change) {
    case Change::same:
      return "same";
    case Change::slower:
      return "slower";
    case Change::faster:
      return "faster";
    case Change::unsure:
      return "unsure";
  }
  return "?";
}

Shift estimate_shift(const Series& a, const Series& b, double confidence) {
  const auto before = positive_sorted(a);
  const auto after = positive_sorted(b);
  Shift shift;
  if (before.empty() || after.empty()) return shift;
  Series ratios;
  for (const double x : before) {
    for (const double y : after) ratios.add(y / x);
  }
  const auto at_most = rank_sum_distribution(before.size(), after.size());
  shift.ratio = ratios.median();
  shift.p = p_of(before, after, at_most);
  if (const auto cut = cut_off(at_most, confidence)) {
    auto sorted = ratios.values();
    std::sort(sorted.begin(), sorted.end());
    shift.low = sorted.at(*cut);
    shift.high = sorted.at(sorted.size() - 1 - *cut);
  }
  return shift;
}

std::size_t RunComparison::count(Change change) const {
  return static_cast<std::size_t>(std::count_if(
      lines.begin(), lines.end(), [&](const Line& line) { return line.change == change; }));
}

RunComparison compare(const Record& before, const Record& after, const ComparisonOptions& options) {
  RunComparison out;
  compare_machines(before, after, out);
  for (const auto& figure : before.figures) {
    const Figure* other = after.find(figure.design, figure.endpoints);
    if (other == nullptr) continue;
    out.lines.push_back(line_of(figure, "setup", figure.setup_ms, other->setup_ms, options));
    out.lines.push_back(line_of(figure, "gone", figure.gone_ms, other->gone_ms, options));
  }
  note_missing(before, after, "first", out);
  note_missing(after, before, "second", out);
  return out;
}

}  // namespace particle::bench
