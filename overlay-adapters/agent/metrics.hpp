// SPDX-License-Identifier: Apache-2.0
/// What the agent counts, and its text in Prometheus' exposition format 0.0.4. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "overlay-adapters/adapter.hpp"

namespace particle::overlay {

/// Seconds, in buckets from 1 ms to 10 s.
class Histogram {
 public:
  static constexpr std::array kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                      0.25,  0.5,    1.0,   2.5,  5.0,   10.0};
  void observe(std::chrono::nanoseconds took);
  /// Appends the sample lines of metric `name`.
  void write(std::string& out, const std::string& name) const;

 private:
  std::array<std::uint64_t, kBounds.size()> buckets_{};  ///< not cumulative
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

struct PoolUse {
  std::string pool;
  std::string tenant;
  std::uint64_t capacity = 0;
  std::uint64_t leased = 0;
  std::uint64_t cooling = 0;
};

struct AgentMetrics {
  std::string overlay;
  std::string node;
  std::vector<PoolUse> pools;
  std::map<std::string, std::size_t> peers;  ///< by tenant
  std::size_t refused = 0;                   ///< announcements that are not entered
  std::uint64_t added = 0;
  std::uint64_t removed = 0;
  std::uint64_t restored = 0;  ///< peers of which the kernel had lost something
  std::uint64_t reconciles = 0;
  std::uint64_t errors = 0;  ///< reconciles, views and announcements that failed
  std::uint64_t reloads = 0;
  bool complete = false;  ///< what is known of the others is all there is
  HealthState health = HealthState::ok;
  Histogram reconcile_seconds;  ///< from the adapter's event to the kernel's last answer
  std::chrono::system_clock::time_point started;
};

std::string to_prometheus(const AgentMetrics& metrics);

}  // namespace particle::overlay
