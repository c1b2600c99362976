// SPDX-License-Identifier: Apache-2.0
/// The eBPF programs and maps of one node: loaded once, pinned for whoever comes next, and attached to
/// each endpoint's control group, where they stay until the group goes, whoever attached them.
#pragma once

#include <string>
#include <vector>

#include <linux/bpf.h>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "policy/policy.h"
#include "src/cgroup.hpp"

namespace particle::bind {

/// Where one node's enforcement lives.
struct EnforcePlace {
  std::string directory;  ///< RUN_DIR/enforce/NODE_ID
  std::string anchor;  ///< the control group that endpoints have theirs in, below the cgroup2 mount
};

/// Errors: unsupported without cgroup2.
Result<EnforcePlace> find_place(const std::string& run_dir, const std::string& node_id);

/// Serializes making and removing on one node, across processes.
Result<UniqueFd> lock_place(const EnforcePlace& place);

class ProgramSet {
 public:
  /// Opens what is pinned, or loads and pins it. Hold lock_place().
  /// Errors: permission_denied, unsupported (with the verifier's words).
  static Result<ProgramSet> ensure(const EnforcePlace& place);
  /// Opens what is pinned. Errors: not_found.
  static Result<ProgramSet> open(const EnforcePlace& place);

  /// From here on every socket that is made in the group, or below it, is the endpoint's. A group has
  /// one endpoint. What ends it is the end of the group. `fresh`: the group was just made, so that nothing
  /// can be attached to it.
  /// Errors: permission_denied where a group above allows no programs in those below it.
  [[nodiscard]] Result<void> attach(const Cgroup& cgroup, const pb_endpoint& endpoint,
                                    bool fresh = false) const;
  [[nodiscard]] Result<void> put_log(const Cgroup& cgroup, int ring) const;
  /// Sockets of the group are refused everything from now on.
  void disown(const Cgroup& cgroup) const;

 private:
  /// A program, and where it goes.
  struct Hook {
    bpf_attach_type type;
    UniqueFd program;
  };
  ProgramSet(UniqueFd endpoints, UniqueFd logs, std::vector<Hook> hooks)
      : endpoints_(std::move(endpoints)), logs_(std::move(logs)), hooks_(std::move(hooks)) {}
  static Result<ProgramSet> load(const EnforcePlace& place);

  UniqueFd endpoints_;
  UniqueFd logs_;
  std::vector<Hook> hooks_;
};

/// Unpins everything and removes the node's control group, if it holds no endpoint any more. Hold
/// lock_place(). Idempotent.
Result<void> remove_if_unused(const EnforcePlace& place);

/// Can this process load such programs? Errors: permission_denied, unsupported.
Result<void> probe_programs();

}  // namespace particle::bind
