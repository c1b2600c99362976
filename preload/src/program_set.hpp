// SPDX-License-Identifier: Apache-2.0
/// The eBPF programs and maps of one node: loaded once, attached to the node's control group, and
/// pinned so that they go on deciding when the process that loaded them is gone.
#pragma once

#include <cstdint>
#include <string>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "policy/policy.h"

namespace particle::bind {

/// Where one node's enforcement lives.
struct EnforcePlace {
  std::string directory;  ///< RUN_DIR/enforce/NODE_ID
  std::string anchor;     ///< the node's control group, below the cgroup2 mount
};

/// Errors: unsupported without cgroup2.
Result<EnforcePlace> find_place(const std::string& run_dir, const std::string& node_id);

/// Serializes making and removing on one node, across processes.
Result<UniqueFd> lock_place(const EnforcePlace& place);

class ProgramSet {
 public:
  /// Opens what is pinned, or loads, attaches and pins it. Hold lock_place().
  /// Errors: permission_denied, unsupported (with the verifier's words), conflict when another
  /// version's programs are attached and in use.
  static Result<ProgramSet> ensure(const EnforcePlace& place);
  /// Opens what is pinned. Errors: not_found.
  static Result<ProgramSet> open(const EnforcePlace& place);

  [[nodiscard]] Result<void> put(std::uint64_t cgroup, const pb_endpoint& endpoint) const;
  [[nodiscard]] Result<void> put_log(std::uint64_t cgroup, int ring) const;
  /// The calling thread acts for the endpoint from now on.
  [[nodiscard]] Result<void> put_agent(std::uint64_t cgroup) const;
  void erase(std::uint64_t cgroup) const;
  void erase_agent() const;

 private:
  ProgramSet(UniqueFd endpoints, UniqueFd logs, UniqueFd agents)
      : endpoints_(std::move(endpoints)), logs_(std::move(logs)), agents_(std::move(agents)) {}
  static Result<ProgramSet> load(const EnforcePlace& place);

  UniqueFd endpoints_;
  UniqueFd logs_;
  UniqueFd agents_;
};

/// Detaches and unpins everything and removes the node's control group, if it holds no endpoint any
/// more. Hold lock_place(). Idempotent.
Result<void> remove_if_unused(const EnforcePlace& place);

/// Can this process load such programs? Errors: permission_denied, unsupported.
Result<void> probe_programs();

}  // namespace particle::bind
