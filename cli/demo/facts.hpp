// SPDX-License-Identifier: Apache-2.0
/// What the demo is asked for and what it found out. Plain data: the steps fill it in, report.cpp
/// and report_json.cpp show it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <particle/node.hpp>

namespace particle::cli::demo {

struct Options {
  std::uint64_t endpoints = 100;
  AddressMode mode = AddressMode::automatic;
  bool v4 = true;
  bool v6 = false;
  bool baseline = true;
  bool keep = false;
};

inline constexpr std::size_t kNodes = 2;
inline constexpr std::size_t kTenants = 2;
/// Node A's part of 10.1.0.0/16 and node B's are at most /18 each.
inline constexpr std::uint64_t kMaxDemoEndpoints = 16382;

struct Tenant {
  const char* name;
  std::uint32_t vni;
};
inline constexpr std::array<Tenant, kTenants> kTenantList{{{"red", 1001}, {"blue", 1002}}};

/// One pool of the demo and what making it took.
struct Pool {
  std::size_t node = 0;
  std::size_t tenant = 0;
  PoolInfo info;
  std::vector<IpRange> endpoints;  ///< one range per family
  NetNs netns;
  Outcome outcome;
  std::chrono::nanoseconds took{0};  ///< from call to return: the steps, planning, locks
};

struct Traffic {
  std::string id;    ///< "between-nodes"
  std::string what;  ///< for people
  std::uint64_t wanted = 0;
  std::uint64_t reached = 0;
  std::chrono::nanoseconds took{0};
  std::vector<std::string> problems;  ///< the first few
  [[nodiscard]] bool proven() const { return wanted > 0 && reached == wanted; }
};

struct Check {
  std::string id;    ///< "underlay-hidden"
  std::string what;  ///< for people
  bool proven = false;
  std::vector<std::string> problems;
};

/// The same job done another way.
struct Comparison {
  std::string id;    ///< "ip-commands"
  std::string what;  ///< for people
  std::uint64_t containers = 0;
  std::chrono::nanoseconds total{0};
  std::chrono::nanoseconds each{0};
  double ratio = 0;  ///< `each` against Particle's time per endpoint
  std::array<std::chrono::nanoseconds, 6> steps{};
  std::string skipped;  ///< why it was not run
};

struct Facts {
  Options options;
  bool unprivileged = false;
  std::array<std::string, kNodes> underlay;  ///< per node, for the picture
  std::vector<Pool> pools;                   ///< node A's, then node B's, in the order of tenants
  std::chrono::nanoseconds peers{0};         ///< adding all peers
  std::vector<Traffic> traffic;
  std::vector<Check> checks;
  std::vector<Comparison> comparisons;
  std::chrono::nanoseconds removal{0};  ///< deleting the pools
  std::chrono::nanoseconds total{0};
  std::string directory;  ///< with --keep: where the pins are
  pid_t holder = 0;       ///< with --keep in a user namespace: the process that holds it

  /// What an endpoint costs with Particle: the middle one of the pools, without the VTEP, which the
  /// other ways have for nothing too.
  [[nodiscard]] std::chrono::nanoseconds pool_time() const;
  [[nodiscard]] bool proven() const;
};

/// What a pool took, less the VTEP.
std::chrono::nanoseconds without_vtep(const Pool& pool);

/// How the steps tell what they are doing and learn that they should stop.
struct Watch {
  std::function<void(const std::string& what, std::uint64_t done, std::uint64_t all)> progress;
  std::stop_token stop;

  void tell(const std::string& what, std::uint64_t done, std::uint64_t all) const {
    if (progress) progress(what, done, all);
  }
  /// Errors: interrupted.
  [[nodiscard]] Result<void> check() const {
    if (stop.stop_requested()) return fail(Error::of(Errc::interrupted, "the demo"));
    return {};
  }
};

}  // namespace particle::cli::demo
