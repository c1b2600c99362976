// SPDX-License-Identifier: Apache-2.0
#include "agent/refusal_log.hpp"

#include <algorithm>

namespace particle::fleet {

std::optional<std::string> RefusalLog::take(const IpAddress& from, const std::string& why,
                                            Time now) {
  const auto found = entries_.find(from);
  std::uint64_t left_out = 0;
  if (found != entries_.end()) {
    Entry& entry = found->second;
    if (entry.why == why && now - entry.logged < kPause) {
      ++entry.left_out;
      return std::nullopt;
    }
    left_out = entry.left_out;
    entry = {now, why, 0};
  } else {
    if (entries_.size() >= kMost) forget_oldest();
    entries_.emplace(from, Entry{now, why, 0});
  }
  std::string line = "a connection from " + from.to_string() + " was refused: " + why;
  if (left_out > 0) line += " (and " + std::to_string(left_out) + " more before)";
  return line;
}

void RefusalLog::forget_oldest() {
  entries_.erase(std::min_element(
      entries_.begin(), entries_.end(),
      [](const auto& a, const auto& b) { return a.second.logged < b.second.logged; }));
}

}  // namespace particle::fleet
