// SPDX-License-Identifier: Apache-2.0
#include <particle_bind/container.hpp>

#include <cerrno>
#include <fstream>
#include <functional>
#include <optional>
#include <vector>

#include <sys/file.h>
#include <unistd.h>

#include "src/cgroup.hpp"
#include "src/ebpf_guard.hpp"
#include "src/guard.hpp"
#include "src/program_set.hpp"

namespace particle::bind {
namespace {

/// With a pool's name of 63 and an endpoint's number of 8 letters in front, a directory's name.
constexpr std::size_t kLongestLabel = 180;
constexpr std::size_t kDigits = 16;

std::string label_of(const std::string& container) {
  if (container.size() <= kLongestLabel) {
    return container;
  }
  std::string digits = std::to_string(std::hash<std::string>{}(container));
  return container.substr(0, kLongestLabel - kDigits) + digits.substr(0, kDigits);
}

/// The groups that were made for the container: one, or none. Their names begin with the endpoint's.
std::vector<std::string> groups_of(const EnforcePlace& place, const std::string& container) {
  std::vector<std::string> found;
  const std::string ending = "@" + label_of(container);
  for (const std::string& name : children_of(place.anchor)) {
    if (name.ends_with(ending) && name.find('@') < name.size() - ending.size()) {
      found.push_back(place.anchor + "/" + name);
    }
  }
  return found;
}

/// A process's path in cgroup2; "/" at its root.
std::string group_path(const std::string& process) {
  std::ifstream groups("/proc/" + process + "/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.starts_with("0::")) {
      return line.substr(3);
    }
  }
  return "/";
}

/// The control group in cgroup2 that the runtime made for the process: one that whoever asks, and so
/// the runtime, is neither in nor below. runc makes one beside those of v1, too.
std::optional<std::string> own_group(pid_t process) {
  const Result<std::string> mount = find_cgroup2();
  const std::string path = group_path(std::to_string(process));
  const std::string ours = group_path("self");
  // Outside of what this mount shows a path has "..".
  if (!mount || path.size() < 2 || path.find("/..") != std::string::npos || ours == path ||
      ours.starts_with(path + "/")) {
    return std::nullopt;
  }
  return *mount + path;
}

/// `group`, which marks the endpoint as in use, becomes the process's where it has none of its own.
Result<void> take_in(const ProgramSet& set, const Cgroup& group, const pb_endpoint& endpoint,
                     pid_t process) {
  if (const auto own = own_group(process)) {
    const Result<Cgroup> theirs = open_cgroup(*own);
    return theirs ? set.attach(*theirs, endpoint) : fail(theirs.error());
  }
  if (auto ok = set.attach(group, endpoint); !ok) {
    return ok;
  }
  return move_into(group, process);
}

Result<void> end_groups(const EnforcePlace& place, const std::string& container) {
  const Result<ProgramSet> set = ProgramSet::open(place);
  for (const std::string& path : groups_of(place, container)) {
    const Result<Cgroup> group = open_cgroup(path);
    if (!group) {
      continue;
    }
    if (set) {
      set->disown(*group);
    }
    if (auto ok = end_group(*group); !ok) {
      return ok;
    }
  }
  return {};
}

}  // namespace

Result<void> enforce_container(const EnforceSpec& spec, const std::string& container, pid_t first) {
  const Result<pb_endpoint> endpoint = to_policy(spec);
  if (!endpoint) {
    return fail(endpoint.error());
  }
  if (spec.mechanism != Mechanism::ebpf || spec.policy == Policy::audit) {
    return fail(Error::of(Errc::unsupported, "enforce container " + container + " this way",
                          "containers are enforced by ebpf, with policy rewrite or strict"));
  }
  const Result<EnforcePlace> place = find_place(spec.run_dir, spec.node_id);
  if (!place) {
    return fail(place.error());
  }
  const Result<UniqueFd> lock = lock_place(*place);
  if (!lock) {
    return fail(lock.error());
  }
  Result<void> done = end_groups(*place, container);
  const Result<ProgramSet> set = ProgramSet::ensure(*place);
  if (!set) {
    done = fail(set.error());
  }
  const std::string path = place->anchor + "/" + group_name(spec.lease) + "@" + label_of(container);
  if (done) {
    const Result<Cgroup> group = ensure_cgroup(path);
    done = group ? take_in(*set, *group, *endpoint, first) : fail(group.error());
  }
  if (!done) {
    static_cast<void>(end_groups(*place, container));
    static_cast<void>(remove_if_unused(*place));
  }
  return done;
}

Result<void> join_container(const std::string& run_dir, const std::string& node_id,
                            const std::string& container) {
  const Result<EnforcePlace> place = find_place(run_dir, node_id);
  if (!place) {
    return {};
  }
  for (const std::string& path : groups_of(*place, container)) {
    const Result<Cgroup> group = open_cgroup(path);
    if (group && is_populated(*group)) {
      return move_into(*group, 0);
    }
  }
  return {};
}

Result<void> release_container(const std::string& run_dir, const std::string& node_id,
                               const std::string& container) {
  const Result<EnforcePlace> place = find_place(run_dir, node_id);
  if (!place || ::access(place->anchor.c_str(), F_OK) != 0) {
    return {};
  }
  const Result<UniqueFd> lock = lock_place(*place);
  if (!lock) {
    return fail(lock.error());
  }
  if (auto ok = end_groups(*place, container); !ok) {
    return ok;
  }
  return remove_if_unused(*place);
}

}  // namespace particle::bind
