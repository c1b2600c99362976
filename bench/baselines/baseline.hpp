// SPDX-License-Identifier: Apache-2.0
/// The usual way to connect containers to an overlay, for comparison: a network namespace and a
/// veth pair per container. Three makings of the same result, all in namespaces of their own, so
/// that nothing of the caller's is touched. Used by `particle demo` and by the benchmarks.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include <particle/result.hpp>

namespace particle::baselines {

/// The six steps of figure 3.1: namespace, veth, two moves, attach, address.
inline constexpr std::size_t kSteps = 6;

struct Request {
  std::uint64_t containers = 1;                 ///< at most kMaxContainers
  std::function<void(std::uint64_t)> progress;  ///< containers done so far
  std::stop_token stop;                         ///< ends the run with Errc::interrupted
};

/// A bridge has 1,023 ports, one of which is the vxlan device.
inline constexpr std::uint64_t kMaxContainers = 1022;

/// What one run took, and what it left behind.
struct Run {
  std::uint64_t containers = 0;
  std::array<std::chrono::nanoseconds, kSteps> steps{};
  std::chrono::nanoseconds total{0};
  /// Keeps the namespaces of the run. The kernel takes them apart in the background once the last
  /// copy is gone; holding it keeps that work out of the next measurement.
  std::shared_ptr<void> remains;

  [[nodiscard]] std::chrono::nanoseconds per_container() const {
    return containers == 0 ? total : total / static_cast<std::int64_t>(containers);
  }
};

/// As well as it can be done: in process, the veth born in place at both ends and on the bridge,
/// one netlink batch on each side. S3 and S4 stay 0; S2 includes the near end's part of S5, and S6
/// the guest end's.
Result<Run> run_in_place(const Request& request);

/// In process, but as overlays do it: the pair is made in the node's namespace and both ends are
/// moved.
Result<Run> run_moved(const Request& request);

/// As the paper did it: one `ip` command for each step, both ends moved.
/// Errors: not_found when there is no `ip` command.
Result<Run> run_ip_commands(const Request& request);

/// The path of the `ip` command, or an empty string.
std::string find_ip_command();

}  // namespace particle::baselines
