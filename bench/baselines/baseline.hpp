// SPDX-License-Identifier: Apache-2.0
/// The ways of connecting containers to an overlay that Particle is compared with, all in namespaces
/// of their own, so that nothing of the caller's is touched. Used by `particle demo` and by the
/// benchmarks.
///
/// The usual way is a network namespace and a veth pair per container, in three makings. The other
/// two are the designs 1 and 2 of the dissertation's section 3.2.1, on the way to Particle.
///
/// Every run ends with a check outside the measured time: all devices are in the VTEP's namespace,
/// and the first, the middle and the last container's address can be bound in its namespace.
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

/// A bridge has 1,023 ports, one of which is the vxlan device. More containers get further bridges,
/// each with a vxlan device and a VNI of its own.
inline constexpr std::uint64_t kContainersPerBridge = 1022;
inline constexpr std::uint64_t kMaxContainers = 4 * kContainersPerBridge;

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

/// Design 1, namespace consolidation: the containers share one namespace, and each has a veth of its
/// own, both ends moved, one container after the other. S1 happens once.
Result<Run> run_shared_namespace(const Request& request);

/// Design 2, batching: as design 1, but every step is done for all containers at once, in netlink
/// batches: the pairs are made, one end of each is moved to the containers' namespace and the other
/// to the VTEP's, and so on. `progress` counts only when all are done.
Result<Run> run_batched(const Request& request);

/// The path of the `ip` command, or an empty string.
std::string find_ip_command();

}  // namespace particle::baselines
