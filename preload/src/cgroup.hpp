// SPDX-License-Identifier: Apache-2.0
/// The endpoints' control groups: one directory per node below the cgroup2 mount, one per endpoint in
/// it. No controller is enabled: they only tell the eBPF programs who is who.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::bind {

/// Where cgroup2 is mounted, its own root first. Errors: unsupported when it is not.
Result<std::string> find_cgroup2();

/// A control group by path. The id is what bpf_get_current_cgroup_id() returns inside it.
struct Cgroup {
  std::string path;
  UniqueFd directory;
  std::uint64_t id = 0;
};

/// Makes the directory unless it is there. Errors: permission_denied, exhausted.
Result<Cgroup> ensure_cgroup(const std::string& path);
Result<Cgroup> open_cgroup(const std::string& path);

/// Moves a process (0: the caller) into it.
Result<void> move_into(const Cgroup& cgroup, pid_t process);
bool is_populated(const Cgroup& cgroup);
/// Kills every process in it and below, and waits until they are gone. Kernel: cgroup.kill, 5.14.
Result<void> kill_all(const Cgroup& cgroup);
/// Both: its processes, then the group itself.
Result<void> end_group(const Cgroup& cgroup);
/// Removes it with its descendants, which must be empty of processes. A missing one is no error.
Result<void> remove_cgroup(const std::string& path);
/// Names of the direct children.
std::vector<std::string> children_of(const std::string& path);

}  // namespace particle::bind
