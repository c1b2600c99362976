// SPDX-License-Identifier: Apache-2.0
/// Which refused connections are worth a line in the log: a scanner makes thousands. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <particle/ip.hpp>

namespace particle::fleet {

class RefusalLog {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// An address is logged once a minute for each reason; what is left out is counted, and said in its next line.
  static constexpr std::chrono::seconds kPause{60};
  /// Of more addresses than that the oldest are forgotten.
  static constexpr std::size_t kMost = 1024;

  /// The line to log, or nothing.
  std::optional<std::string> take(const IpAddress& from, const std::string& why, Time now);

 private:
  struct Entry {
    Time logged;
    std::string why;
    std::uint64_t left_out = 0;
  };
  void forget_oldest();
  std::map<IpAddress, Entry> entries_;
};

}  // namespace particle::fleet
