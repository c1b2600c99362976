// SPDX-License-Identifier: Apache-2.0
/// The designs of the dissertation's section 3.2.1 and Particle's own, each runnable by name, all
/// measured by the same harness.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "harness/testbed.hpp"

namespace particle::bench {

/// The steps of figure 3.1, S1 to S6.
inline constexpr std::size_t kSteps = 6;

/// One making of N connected endpoints, and its end.
struct Sample {
  double setup_ms = 0;    ///< from the request to N usable endpoints
  double release_ms = 0;  ///< until giving them up returned
  double gone_ms = 0;     ///< from giving up until the kernel had taken everything apart
  /// S1 to S6; what is missing took no part. Records, locks and planning belong to none of them, so
  /// that the sum may be less than `setup_ms`.
  std::array<std::optional<double>, kSteps> steps_ms;
  double kernel_kib = 0;   ///< kernel memory that the endpoints took, all together
  double process_kib = 0;  ///< growth of this process, all endpoints together
};

struct Order {
  std::uint64_t endpoints = 1;
  std::function<void(std::uint64_t)> progress;  ///< endpoints made so far
  std::stop_token stop;                         ///< ends with Errc::interrupted
};

/// What a design connects. Figures of one kind are never shown beside those of the other.
enum class Kind : std::uint8_t {
  endpoints,   ///< addresses that can be used, without the containers that will
  containers,  ///< containers that an engine starts
};

struct Design {
  std::string_view name;   ///< "ip-commands"
  std::string_view title;  ///< for a table or a legend: "one ip command per step"
  std::string_view what;   ///< two sentences: what is made, and how
  std::string_view paper;  ///< what it is in the dissertation; may be empty
  std::uint64_t most = 0;  ///< the most endpoints it is measured with
  std::string_view limit;  ///< why not more
  Kind kind = Kind::endpoints;
  /// Why it cannot run on this machine, with how to change that; empty when it can.
  std::string (*missing)() = nullptr;
  /// Makes the endpoints, checks that they are there, gives them up, and waits for the kernel.
  Result<Sample> (*measure)(const Testbed& bed, const Order& order);
};

/// Every design, in the order of the report: from the baseline to what is best.
std::span<const Design> designs() noexcept;
/// Null when there is none of that name.
const Design* find_design(std::string_view name) noexcept;
/// Why the design cannot run on this machine, or an empty string.
std::string missing_for(const Design& design);

}  // namespace particle::bench
