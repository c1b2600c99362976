// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "bench_scene.hpp"
#include "harness/compare.hpp"

using namespace particle::bench;
using namespace particle::test;

TEST_CASE("bench compare: five against five that do not overlap are as sure as ranks can be") {
  const auto shift =
      estimate_shift(series_of({1, 1.1, 1.2, 1.3, 1.4}), series_of({2, 2.2, 2.4, 2.6, 2.8}), 0.95);
  // 1 of C(10, 5) = 252 orders on each side.
  CHECK(shift.p == doctest::Approx(2.0 / 252));
  CHECK(shift.ratio == doctest::Approx(2.0).epsilon(0.02));
  REQUIRE(shift.low.has_value());
  CHECK(*shift.low > 1.3);
  CHECK(*shift.high < 2.8);
  CHECK(*shift.low < shift.ratio);
  CHECK(*shift.high > shift.ratio);
}

TEST_CASE("bench compare: the interval is the one that tables of the rank test give") {
  // n = m = 5, 95%: the 3rd of 25 ordered ratios from each end (Hollander and Wolfe, table A.6).
  const auto shift =
      estimate_shift(series_of({1, 1, 1, 1, 1}), series_of({10, 20, 30, 40, 50}), 0.95);
  REQUIRE(shift.low.has_value());
  CHECK(*shift.low == 10);
  const auto spread = estimate_shift(series_of({1, 10, 100, 1000, 10000}),
                                     series_of({1, 10, 100, 1000, 10000}), 0.95);
  REQUIRE(spread.low.has_value());
  CHECK(*spread.low == doctest::Approx(0.001));
  CHECK(*spread.high == doctest::Approx(1000));
  CHECK(spread.p == doctest::Approx(1.0).epsilon(0.2));
}

TEST_CASE("bench compare: three against three can never be sure with 95% confidence") {
  const auto shift = estimate_shift(series_of({1, 1, 1}), series_of({9, 9, 9}), 0.95);
  CHECK(shift.ratio == doctest::Approx(9));
  CHECK_FALSE(shift.low.has_value());
}

TEST_CASE("bench compare: slower, faster, the same and unsure are told apart") {
  const auto before = record_of({figure_of("anyip", 1, {1.00, 1.01, 1.02, 1.03, 1.04}),
                                 figure_of("anyip", 10, {1.00, 1.01, 1.02, 1.03, 1.04}),
                                 figure_of("anyip", 100, {1.00, 1.01, 1.02, 1.03, 1.04}),
                                 figure_of("anyip", 400, {0.5, 1, 2, 4, 8})});
  const auto after = record_of({figure_of("anyip", 1, {1.30, 1.31, 1.32, 1.33, 1.34}),
                                figure_of("anyip", 10, {0.70, 0.71, 0.72, 0.73, 0.74}),
                                figure_of("anyip", 100, {1.00, 1.01, 1.02, 1.03, 1.04}),
                                figure_of("anyip", 400, {0.6, 1.1, 2.2, 4.4, 8})});
  const auto comparison = compare(before, after, {});
  REQUIRE(comparison.lines.size() == 8);  // setup and gone of each
  CHECK(comparison.lines[0].change == particle::bench::Change::slower);
  CHECK(comparison.lines[2].change == particle::bench::Change::faster);
  CHECK(comparison.lines[4].change == particle::bench::Change::same);
  CHECK(comparison.lines[6].change == particle::bench::Change::unsure);
  CHECK(comparison.warnings.empty());
}

TEST_CASE("bench compare: a change below the threshold is none, however sure") {
  const auto before = record_of({figure_of("anyip", 1, {1.000, 1.001, 1.002, 1.003, 1.004})});
  const auto after = record_of({figure_of("anyip", 1, {1.030, 1.031, 1.032, 1.033, 1.034})});
  CHECK(compare(before, after, {}).lines[0].change == particle::bench::Change::same);
  CHECK(compare(before, after, {.confidence = 0.95, .threshold = 0.01}).lines[0].change ==
        particle::bench::Change::slower);
}

TEST_CASE("bench compare: other machines and missing figures are named") {
  auto before = record_of({figure_of("anyip", 1, {1}), figure_of("batched", 1, {1})});
  auto after = record_of({figure_of("anyip", 1, {1})});
  after.machine["kernel"] = "6.18";
  after.complete = false;
  const auto comparison = compare(before, after, {});
  REQUIRE(comparison.warnings.size() == 3);
  CHECK(comparison.warnings[0].find("kernel") != std::string::npos);
  CHECK(comparison.warnings[1].find("interrupted") != std::string::npos);
  CHECK(comparison.warnings[2].find("batched, N = 1: only in the first") != std::string::npos);
}
