// SPDX-License-Identifier: Apache-2.0
/// The control groups that keep instances within their limits, version 1 or 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>
#include <particle_fleet/function.hpp>

namespace particle::fleet {

/// Where a controller's groups are made.
struct Controller {
  std::string name;  ///< "memory", "cpu", "pids"
  std::string base;  ///< where its hierarchy is mounted
  bool unified = false;
};

/// One job's. Threads: one at a time.
class LimitGroups {
 public:
  /// One instance's groups.
  struct Instance {
    std::vector<std::string> paths;  ///< one per controller; with version 2 one for all
    UniqueFd directory;              ///< of version 2
    UniqueFd memory, cpu, pids;      ///< cgroup.procs of version 1
  };

  /// Finds the controllers that `limits` need. `name` is unique on the machine and begins with
  /// kLimitGroupPrefix. Errors: unsupported, naming every limit that cannot be kept here.
  static Result<LimitGroups> prepare(const Limits& limits, const std::string& name);
  LimitGroups(LimitGroups&& other) noexcept;
  LimitGroups& operator=(LimitGroups&&) = delete;
  /// Removes the job's groups; no process may be left in them.
  ~LimitGroups();

  [[nodiscard]] bool any() const { return !controllers_.empty(); }
  /// `above`: where version 2 is used, the group that the instance's is made in; empty: the job's.
  /// Errors: what the kernel refuses; nothing is left then.
  Result<Instance> make(std::uint64_t number, const std::string& above);
  static bool was_out_of_memory(const Instance& instance);
  static void remove(const Instance& instance);

 private:
  LimitGroups(Limits limits, std::string name, std::vector<Controller> controllers)
      : limits_(std::move(limits)), name_(std::move(name)), controllers_(std::move(controllers)) {}
  static UniqueFd& place_of(Instance& instance, const Controller& controller);
  Result<void> make_in(const Controller& controller, const std::string& above, std::uint64_t number,
                       Instance& instance) const;
  [[nodiscard]] Result<void> set(const Controller& controller, const std::string& path) const;

  Limits limits_;
  std::string name_;
  std::vector<Controller> controllers_;
};

inline constexpr const char* kLimitGroupPrefix = "particle-fleet-";
/// Kills what runs in groups of this name, of every controller, and removes them. Returns their paths.
std::vector<std::string> end_limit_groups(const std::string& name);

}  // namespace particle::fleet
