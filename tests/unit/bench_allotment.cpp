// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "harness/allotment.hpp"

using namespace particle::bench;

TEST_CASE("bench allotment: with time enough everything gets all its repeats") {
  CHECK(allot({1, 2, 3}, 5, 24) == std::vector<unsigned>{5, 5, 5});
  CHECK(allot({}, 5, 24).empty());
  CHECK(allot({0, 0}, 3, 0) == std::vector<unsigned>{3, 3});
}

TEST_CASE("bench allotment: what costs much is measured less often, and the time is kept") {
  const std::vector<double> costs{100, 10, 1, 0.1};
  for (const double left : {0.0, 5.0, 50.0, 100.0, 444.0}) {
    CAPTURE(left);
    const auto repeats = allot(costs, 5, left);
    double takes = 0;
    for (std::size_t i = 0; i < costs.size(); ++i) {
      CHECK(repeats[i] >= 1);
      if (i > 0) CHECK(repeats[i] >= repeats[i - 1]);
      takes += costs[i] * (repeats[i] - 1);
    }
    CHECK(takes <= left);
  }
  CHECK(allot(costs, 5, 50) == std::vector<unsigned>{1, 5, 5, 5});
  CHECK(allot(costs, 5, 20) == std::vector<unsigned>{1, 2, 5, 5});
  CHECK(allot(costs, 5, -1) == std::vector<unsigned>{1, 1, 1, 1});
}

TEST_CASE("bench allotment: what failed is not tried again") {
  CHECK(allot({-1, 1}, 5, 100) == std::vector<unsigned>{1, 5});
}

TEST_CASE("bench allotment: the rounds of a task are spread over the run, the first among them") {
  const auto rounds = [](unsigned allotted, unsigned repeats) {
    std::vector<unsigned> out;
    for (unsigned round = 0; round < repeats; ++round) {
      if (is_due(allotted, repeats, round)) out.push_back(round);
    }
    return out;
  };
  CHECK(rounds(1, 5) == std::vector<unsigned>{0});
  CHECK(rounds(2, 5) == std::vector<unsigned>{0, 4});
  CHECK(rounds(3, 5) == std::vector<unsigned>{0, 2, 4});
  CHECK(rounds(5, 5) == std::vector<unsigned>{0, 1, 2, 3, 4});
  CHECK(rounds(1, 1) == std::vector<unsigned>{0});
}
