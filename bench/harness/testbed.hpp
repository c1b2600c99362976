// SPDX-License-Identifier: Apache-2.0
/// A node to measure on: a network namespace of its own, a run directory on tmpfs (as /run is), and
/// a pool that keeps the tenant's VTEP alive.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <particle/node.hpp>

#include "harness/stats.hpp"

namespace particle::bench {

class Testbed {
 public:
  /// The run directory is made below `parent`, or where /dev/shm, /run or /tmp allow it.
  static Result<Testbed> make(const std::string& parent = {});
  Testbed(Testbed&& other) noexcept;
  Testbed& operator=(Testbed&&) = delete;
  Testbed(const Testbed&) = delete;
  Testbed& operator=(const Testbed&) = delete;
  /// Deletes every pool and the run directory.
  ~Testbed();

  [[nodiscard]] const Node& node() const { return node_; }
  [[nodiscard]] const NetNs& netns() const { return netns_; }
  [[nodiscard]] const std::string& run_dir() const { return run_dir_; }
  [[nodiscard]] const PoolInfo& keeper() const { return keeper_; }

  /// Waits until the kernel has taken apart every namespace that was given up before.
  [[nodiscard]] Result<void> settle() const;

  /// The same without the pause at the end: what is left to do then is not seen from outside.
  [[nodiscard]] Result<void> wait_until_gone() const;

  /// A device pair between `netns` and the testbed: when the near end is gone, the kernel is done
  /// with the namespace.
  [[nodiscard]] Result<std::string> plant_sensor(const NetNs& netns) const;
  /// Waits until the sensor is gone. Errors: busy after a minute.
  [[nodiscard]] Result<void> wait_for_end_of(const std::string& sensor) const;

  /// What shall live as long as the testbed (a daemon on it), by name: it ends before the pools do.
  void keep(const std::string& name, std::shared_ptr<void> something) const {
    kept_[name] = std::move(something);
  }
  /// Null when nothing was kept by that name; it must be a `T`.
  template <class T>
  [[nodiscard]] std::shared_ptr<T> kept(const std::string& name) const {
    const auto found = kept_.find(name);
    return found == kept_.end() ? nullptr : std::static_pointer_cast<T>(found->second);
  }

 private:
  Testbed(NetNs netns, Session session, NetNs observer, Node node, std::string run_dir);
  NetNs netns_;
  mutable Session session_;
  NetNs observer_;
  Node node_;
  std::string run_dir_;
  PoolInfo keeper_;
  mutable std::map<std::string, std::shared_ptr<void>> kept_;
};

inline constexpr const char* kUnderlayDevice = "underlay0";
inline constexpr const char* kTenant = "bench";
inline constexpr std::uint32_t kVni = 4001;

/// A pool of `kTenant`, at 10.<part>.0.0/16 where part is at least 2. Jobs are isolated from each
/// other, so that other pools of the tenant add no entries to this one.
PoolSpec spec_of(const std::string& name, std::uint64_t count, AddressMode mode, unsigned part = 2);

/// Milliseconds of one create_pool, delete_pool.
Result<double> timed_create(const Node& node, const PoolSpec& spec);
Result<double> timed_delete(const Node& node, const std::string& name);

}  // namespace particle::bench
