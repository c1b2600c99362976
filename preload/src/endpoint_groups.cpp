// SPDX-License-Identifier: Apache-2.0
// Many endpoints' control groups at once, for starters that put processes there at birth.
#include <atomic>
#include <cerrno>
#include <utility>

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <particle_bind/container.hpp>

#include "src/cgroup.hpp"
#include "src/ebpf_guard.hpp"
#include "src/guard.hpp"
#include "src/program_set.hpp"

namespace particle::bind {
namespace {

Error wrong_spec(const std::string& container) {
  return Error::of(Errc::unsupported, "enforce container " + container + " this way",
                   "containers are enforced by ebpf, with policy rewrite or strict");
}

Result<EndpointGroup> make_one(const EnforcePlace& place, const ProgramSet& set,
                               const EnforceSpec& spec, const std::string& container) {
  const Result<pb_endpoint> endpoint = to_policy(spec);
  if (!endpoint) {
    return fail(endpoint.error());
  }
  const std::string path = place.anchor + "/" + group_name(spec.lease) + "@" + container;
  const bool fresh = ::mkdir(path.c_str(), 0755) == 0;
  Result<Cgroup> group = ensure_cgroup(path);
  if (!group) {
    return fail(group.error());
  }
  Result<void> done = !fresh && is_populated(*group) ? kill_all(*group) : Result<void>{};
  if (done) {
    done = set.attach(*group, *endpoint, fresh);
  }
  if (!done) {
    static_cast<void>(remove_cgroup(path));
    return fail(done.error());
  }
  return EndpointGroup{path, std::move(group->directory)};
}

Result<void> remove_all(const EnforcePlace& place, const std::vector<EndpointGroup>& groups) {
  Result<void> first;
  for (const EndpointGroup& one : groups) {
    // A group that nothing runs in is gone with one call.
    if (::rmdir(one.path.c_str()) == 0 || errno == ENOENT) {
      continue;
    }
    const Result<Cgroup> group = open_cgroup(one.path);
    if (auto ok = group ? end_group(*group) : fail(group.error()); !ok && first) {
      first = ok;
    }
  }
  if (auto ok = remove_if_unused(place); !ok && first) {
    first = ok;
  }
  return first;
}

}  // namespace

Result<std::vector<EndpointGroup>> make_endpoint_groups(const std::vector<EnforceSpec>& specs,
                                                        const std::string& container) {
  std::vector<EndpointGroup> groups;
  if (specs.empty()) {
    return groups;
  }
  for (const EnforceSpec& spec : specs) {
    if (spec.mechanism != Mechanism::ebpf || spec.policy == Policy::audit) {
      return fail(wrong_spec(container));
    }
  }
  const Result<EnforcePlace> place = find_place(specs.front().run_dir, specs.front().node_id);
  if (!place) {
    return fail(place.error());
  }
  const Result<UniqueFd> lock = lock_place(*place);
  if (!lock) {
    return fail(lock.error());
  }
  const Result<ProgramSet> set = ProgramSet::ensure(*place);
  Result<void> done = set ? Result<void>{} : fail(set.error());
  groups.reserve(specs.size());
  for (const EnforceSpec& spec : specs) {
    if (!done) {
      break;
    }
    Result<EndpointGroup> group = make_one(*place, *set, spec, container);
    if (group) {
      groups.push_back(*std::move(group));
    } else {
      done = fail(group.error());
    }
  }
  if (!done) {
    static_cast<void>(remove_all(*place, groups));
    return fail(done.error());
  }
  return groups;
}

Result<void> remove_endpoint_groups(const std::string& run_dir, const std::string& node_id,
                                    const std::vector<EndpointGroup>& groups) {
  if (groups.empty()) {
    return {};
  }
  const Result<EnforcePlace> place = find_place(run_dir, node_id);
  if (!place) {
    return fail(place.error());
  }
  const Result<UniqueFd> lock = lock_place(*place);
  if (!lock) {
    return fail(lock.error());
  }
  return remove_all(*place, groups);
}

Result<EndpointGroup> keep_programs(const std::string& run_dir, const std::string& node_id) {
  const Result<EnforcePlace> place = find_place(run_dir, node_id);
  if (!place) {
    return fail(place.error());
  }
  const Result<UniqueFd> lock = lock_place(*place);
  if (!lock) {
    return fail(lock.error());
  }
  if (const Result<ProgramSet> set = ProgramSet::ensure(*place); !set) {
    static_cast<void>(remove_if_unused(*place));
    return fail(set.error());
  }
  // Not an endpoint's name, and locked: sweep() ends it when this process is gone.
  static std::atomic<unsigned> next{0};
  const std::string path =
      place->anchor + "/keep@" + std::to_string(::getpid()) + "." + std::to_string(next++);
  Result<Cgroup> group = ensure_cgroup(path);
  if (!group) {
    static_cast<void>(remove_if_unused(*place));
    return fail(group.error());
  }
  if (::flock(group->directory.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Error::from_errno(errno, "lock " + path));
  }
  return EndpointGroup{path, std::move(group->directory)};
}

}  // namespace particle::bind
