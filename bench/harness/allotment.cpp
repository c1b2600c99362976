// SPDX-License-Identifier: Apache-2.0
#include "harness/allotment.hpp"

#include <algorithm>

namespace particle::bench {
namespace {

/// Further rounds of a task that may take `share` seconds more.
unsigned further(double cost, unsigned repeats, double share) {
  if (cost < 0) return 0;
  const double most = repeats - 1;
  return static_cast<unsigned>(cost > 0 ? std::min(most, share / cost) : most);
}

}  // namespace

std::vector<unsigned> allot(const std::vector<double>& seconds, unsigned repeats, double left) {
  const auto takes = [&](double share) {
    double sum = 0;
    for (const double cost : seconds) sum += std::max(cost, 0.0) * further(cost, repeats, share);
    return sum;
  };
  double low = 0;
  double high = std::max(left, 0.0);
  // The largest share that all can have: more of it never takes less time.
  for (int step = 0; step < 60 && takes(high) > left; ++step) {
    const double middle = (low + high) / 2;
    (takes(middle) > left ? high : low) = middle;
    if (step == 59) high = low;
  }
  std::vector<unsigned> out;
  out.reserve(seconds.size());
  for (const double cost : seconds) out.push_back(1 + further(cost, repeats, high));
  return out;
}

bool is_due(unsigned allotted, unsigned repeats, unsigned round) {
  if (round == 0 || allotted >= repeats) return true;
  const unsigned more = allotted - 1;
  const unsigned rounds = repeats - 1;
  return round * more / rounds > (round - 1) * more / rounds;
}

}  // namespace particle::bench
