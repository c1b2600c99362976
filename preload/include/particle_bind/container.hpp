// SPDX-License-Identifier: Apache-2.0
/// The bind enforcer for containers, whose processes an OCI runtime starts: by cgroup hooks only, which
/// need nobody to stay. (By seccomp a container gets its filter from the runtime; see agent.hpp.)
///
/// `container` is a name that is unique on the node; letters, digits, `_`, `.`, `-`, `@`.
/// Threads: every function may be called concurrently, from any number of processes.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>
#include <particle_bind/enforce.hpp>

namespace particle::bind {

/// Keeps the container to spec.lease's endpoint. `first` is its first process, which has not run the
/// container's program yet: an OCI runtime's createRuntime hook is the time for it.
///
/// Where the container has a control group of its own in cgroup2, which the caller is not in, the
/// programs are attached to that; where it has none the process is moved into one that is made for it.
/// Spec: mechanism ebpf; a policy other than audit, which nobody would read.
/// Errors: those of Enforcement::prepare(); nothing is left then.
/// Idempotence: what an earlier container of this name left is ended first.
Result<void> enforce_container(const EnforceSpec& spec, const std::string& container, pid_t first);

/// Makes the calling process, and what it will start, one of the container's; for `exec`. Does nothing
/// where the container has a control group of its own, or is not enforced: the runtime joins it then.
Result<void> join_container(const std::string& run_dir, const std::string& node_id,
                            const std::string& container);

/// Ends the container's enforcement, with whatever still runs in the group that was made for it.
/// Idempotence: a container that is not there is no error.
Result<void> release_container(const std::string& run_dir, const std::string& node_id,
                               const std::string& container);

/// A control group of cgroup2 whose processes are kept to one endpoint from birth: clone3 with
/// CLONE_INTO_CGROUP puts them there.
struct EndpointGroup {
  std::string path;
  UniqueFd directory;
};

/// A group for each of `specs`, in their order, all of one run directory and node, for starters of many
/// processes: one lock and one look at the programs for all. Spec: as for enforce_container(). A group of
/// that name that is there already is emptied and used.
/// Errors: as for enforce_container(); nothing is left then.
Result<std::vector<EndpointGroup>> make_endpoint_groups(const std::vector<EnforceSpec>& specs,
                                                        const std::string& container);
/// An empty group that keeps the programs loaded between endpoints, which takes 40 ms each time
/// otherwise; end it with remove_endpoint_groups(). sweep() ends it when its process is gone.
Result<EndpointGroup> keep_programs(const std::string& run_dir, const std::string& node_id);
/// Ends groups with what still runs in them. Errors: the first of those that could not be ended; the
/// others are. Idempotence: one that is gone is no error.
Result<void> remove_endpoint_groups(const std::string& run_dir, const std::string& node_id,
                                    const std::vector<EndpointGroup>& groups);

}  // namespace particle::bind
