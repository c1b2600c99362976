// SPDX-License-Identifier: Apache-2.0
/// A job's events summed up. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle_fleet/event.hpp>
#include <particle_fleet/failure.hpp>

namespace particle::cli {

class Tally {
 public:
  explicit Tally(std::uint32_t retries) : retries_(retries) {}

  void take(const fleet::Event& event);

  [[nodiscard]] std::uint64_t ended() const noexcept { return ended_; }
  [[nodiscard]] std::uint64_t started() const noexcept { return started_; }
  [[nodiscard]] std::uint64_t ok() const;
  [[nodiscard]] std::uint64_t failed() const { return ended_ - ok(); }

  struct Times {
    double p50_ms = 0, p99_ms = 0, max_ms = 0;
  };
  /// From queued to started, of every instance that ran; nothing when none did.
  [[nodiscard]] std::optional<Times> request_to_running() const;
  /// Of each way of ending for good and not well, the instance that was the first.
  [[nodiscard]] const std::vector<std::uint64_t>& first_failed() const noexcept {
    return first_failed_;
  }
  /// How an instance ended, and its attempts before; nothing for one that ended well or has not ended.
  [[nodiscard]] std::optional<fleet::FailureFacts> failure_of(std::uint64_t index) const;
  [[nodiscard]] const std::map<std::string, std::uint64_t>& by_end() const noexcept {
    return by_end_;
  }
  /// How many ended on each node.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& by_node() const noexcept {
    return by_node_;
  }
  [[nodiscard]] std::uint64_t tried_again() const noexcept { return tried_again_; }
  /// One object for each instance, by index.
  [[nodiscard]] nlohmann::json instances() const;

 private:
  struct Instance {
    std::optional<std::chrono::system_clock::time_point> queued, started;
    std::vector<fleet::Event> before;  ///< ends of attempts that were followed by another
    std::optional<fleet::Event> end;
  };
  std::uint32_t retries_;
  std::map<std::uint64_t, Instance> instances_;
  std::map<std::string, std::uint64_t> by_end_, by_node_;
  std::vector<std::uint64_t> first_failed_;
  std::uint64_t ended_ = 0, started_ = 0, tried_again_ = 0;
};

}  // namespace particle::cli
