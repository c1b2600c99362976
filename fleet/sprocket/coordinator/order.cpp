// SPDX-License-Identifier: Apache-2.0
#include "coordinator/order.hpp"

#include <algorithm>

namespace particle::sprocket {

std::string_view to_string(Strategy strategy) noexcept {
  switch (strategy) {
    case Strategy::overall_time:
      return "overall-time";
    case Strategy::first_frame:
      return "first-frame";
    case Strategy::streaming:
      return "streaming";
  }
  return "?";
}

Result<Strategy> parse_strategy(std::string_view text) {
  for (const Strategy strategy :
       {Strategy::overall_time, Strategy::first_frame, Strategy::streaming}) {
    if (text == to_string(strategy)) return strategy;
  }
  return fail(Error::of(Errc::invalid_argument, "strategy",
                        "one of overall-time, first-frame and streaming"));
}

std::string_view to_string(Transfer transfer) noexcept {
  return transfer == Transfer::direct ? "direct" : "store";
}

Result<Transfer> parse_transfer(std::string_view text) {
  if (text == "direct") return Transfer::direct;
  if (text == "store") return Transfer::store;
  return fail(Error::of(Errc::invalid_argument, "transfer", "direct or store"));
}

std::tuple<bool, std::uint64_t, std::uint64_t, std::uint64_t> rank(Strategy strategy,
                                                                   const Standing& standing) {
  const bool later = !standing.again;
  if (strategy == Strategy::overall_time) {
    return {later, standing.depth, standing.first, standing.task};
  }
  return {later, standing.first, standing.deepest - standing.depth, standing.task};
}

std::chrono::steady_clock::time_point begin_of(std::chrono::steady_clock::time_point shown,
                                               std::chrono::nanoseconds position,
                                               std::chrono::nanoseconds latency,
                                               std::chrono::nanoseconds lead) {
  return shown + position - latency - lead;
}

bool is_straggler(std::chrono::nanoseconds so_far, std::vector<std::chrono::nanoseconds> took) {
  constexpr std::size_t kEnough = 3;
  constexpr int kFar = 3;
  constexpr std::chrono::milliseconds kWorthIt{500};
  if (took.size() < kEnough) return false;
  const auto middle = took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2);
  std::nth_element(took.begin(), middle, took.end());
  return so_far > *middle * kFar && so_far > *middle + kWorthIt;
}

bool has_room(std::uint64_t capacity, std::uint64_t alive, std::uint64_t depth,
              std::uint64_t deepest) {
  return capacity == 0 || alive + (deepest - depth) < capacity;
}

}  // namespace particle::sprocket
