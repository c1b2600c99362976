// SPDX-License-Identifier: Apache-2.0
#include "src/program_set.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bpf/state.h"
#include "libbpf/bpf_error.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "enforce.skel.h"
#pragma GCC diagnostic pop

namespace particle::bind {
namespace {

namespace fs = std::filesystem;

using bpf::bpf_error;

struct Destroy {
  void operator()(enforce_bpf* skeleton) const { enforce_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<enforce_bpf, Destroy>;

std::uint64_t fnv(std::span<const char> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  }
  return hash;
}

std::string hex(std::uint64_t value) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

/// Programs of another build may lay out the map differently: each build has a directory of its own.
std::string version() {
  std::size_t size = 0;
  const auto* bytes = static_cast<const char*>(enforce_bpf__elf_bytes(&size));
  return "set-" + hex(fnv({bytes, size}));
}

std::string bpffs_of(const EnforcePlace& place) {
  return place.directory + "/bpf";
}
std::string pins_of(const EnforcePlace& place) {
  return bpffs_of(place) + "/" + version();
}

bool is_bpffs(const std::string& path) {
  struct statfs status = {};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

/// A bpffs of our own: /sys/fs/bpf is not mounted everywhere, and what is pinned there is anybody's.
Result<void> ensure_bpffs(const EnforcePlace& place) {
  const std::string path = bpffs_of(place);
  if (is_bpffs(path)) {
    return {};
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(Error::from_errno(errno, "make " + path));
  }
  if (::mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
    return fail(Error::from_errno(errno, "mount bpffs at " + path, "CAP_SYS_ADMIN is needed"));
  }
  return {};
}

/// Removes a directory of pins: what is pinned only there is detached.
void remove_pins(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

constexpr std::string_view kHookPrefix = "hook-";

/// Pins the programs, each under the number of the hook that it is for.
Result<void> pin_programs(enforce_bpf* skeleton, const std::string& pins) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    const int hook = bpf_program__expected_attach_type(program);
    const std::string path = pins + "/" + std::string(kHookPrefix) + std::to_string(hook);
    if (bpf_obj_pin(bpf_program__fd(program), path.c_str()) != 0) {
      return fail(
          bpf_error(errno, "pin " + std::string(bpf_program__name(program)) + " as " + path));
    }
  }
  return {};
}

/// "ready" is pinned last: a set that a kill cut short is loaded again.
Result<void> pin_maps(enforce_bpf* skeleton, const std::string& pins) {
  const std::array<std::pair<bpf_map*, const char*>, 3> maps = {
      {{skeleton->maps.endpoints, "/endpoints"},
       {skeleton->maps.logs, "/logs"},
       {skeleton->maps.logs, "/ready"}}};
  for (const auto& [map, name] : maps) {
    if (bpf_obj_pin(bpf_map__fd(map), (pins + name).c_str()) != 0) {
      return fail(bpf_error(errno, "pin " + pins + name));
    }
  }
  return {};
}

}  // namespace

Result<EnforcePlace> find_place(const std::string& run_dir, const std::string& node_id) {
  const Result<std::string> cgroup2 = find_cgroup2();
  if (!cgroup2) {
    return fail(cgroup2.error());
  }
  // Two run directories of one network namespace are two nodes.
  const std::string which = hex(fnv({run_dir.data(), run_dir.size()})).substr(8);
  return EnforcePlace{run_dir + "/enforce/" + node_id,
                      *cgroup2 + "/particle-" + node_id + "-" + which};
}

Result<UniqueFd> lock_place(const EnforcePlace& place) {
  std::error_code error;
  fs::create_directories(place.directory, error);
  if (error) {
    return fail(Error::from_errno(error.value(), "make " + place.directory));
  }
  // The parent, which stays: the last endpoint to go removes the directory itself.
  const std::string path = fs::path(place.directory).parent_path();
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::flock(directory.get(), LOCK_EX) != 0) {
    return fail(Error::from_errno(errno, "lock " + path));
  }
  fs::create_directories(place.directory, error);  // it may have gone while we waited
  return directory;
}

Result<ProgramSet> ProgramSet::open(const EnforcePlace& place) {
  const std::string pins = pins_of(place);
  UniqueFd endpoints(bpf_obj_get((pins + "/endpoints").c_str()));
  UniqueFd logs(bpf_obj_get((pins + "/logs").c_str()));
  std::vector<Hook> hooks;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(pins, failed)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kHookPrefix)) {
      continue;
    }
    UniqueFd program(bpf_obj_get(entry.path().c_str()));
    if (!program.valid()) {
      return fail(bpf_error(errno, "open the pinned program " + entry.path().string()));
    }
    const int hook = std::stoi(name.substr(kHookPrefix.size()));
    hooks.push_back({static_cast<bpf_attach_type>(hook), std::move(program)});
  }
  if (!endpoints.valid() || !logs.valid() || hooks.empty()) {
    return fail(Error::of(Errc::not_found, "open the programs pinned below " + pins));
  }
  return ProgramSet(std::move(endpoints), std::move(logs), std::move(hooks));
}

Result<ProgramSet> ProgramSet::ensure(const EnforcePlace& place) {
  if (::access((pins_of(place) + "/ready").c_str(), F_OK) == 0) {
    return open(place);
  }
  return load(place);
}

Result<ProgramSet> ProgramSet::load(const EnforcePlace& place) {
  bpf::listen_to_libbpf();
  if (auto ok = ensure_bpffs(place); !ok) {
    return fail(ok.error());
  }
  const std::string pins = pins_of(place);
  remove_pins(pins);
  if (const Result<Cgroup> anchor = ensure_cgroup(place.anchor); !anchor) {
    return fail(anchor.error());
  }
  const Skeleton skeleton(enforce_bpf__open());
  if (skeleton == nullptr) {
    return fail(bpf_error(errno, "open the bind enforcer's eBPF object"));
  }
  if (const int error = enforce_bpf__load(skeleton.get()); error != 0) {
    return fail(bpf_error(-error, "load the bind enforcer's eBPF programs",
                          "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed, and Linux 5.18; "
                          "--enforce seccomp needs neither"));
  }
  if (::mkdir(pins.c_str(), 0700) != 0) {
    return fail(Error::from_errno(errno, "make " + pins));
  }
  Result<void> pinned = pin_programs(skeleton.get(), pins);
  if (pinned) {
    pinned = pin_maps(skeleton.get(), pins);
  }
  if (!pinned) {
    remove_pins(pins);
    return fail(pinned.error());
  }
  return open(place);
}

namespace {

std::string name_of(int program) {
  bpf_prog_info info = {};
  std::uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.name : "";
}

/// Detaches what an earlier enforcement, of whichever version, left in a group that outlived it: two
/// endpoints' verdicts on one socket would contradict each other.
void detach_older(int program, int group, bpf_attach_type hook) {
  constexpr std::uint32_t kMost = 64;
  std::array<std::uint32_t, kMost> ids{};
  std::uint32_t count = kMost;
  std::uint32_t flags = 0;
  if (bpf_prog_query(group, hook, 0, &flags, ids.data(), &count) != 0) {
    return;
  }
  const std::string name = name_of(program);
  for (std::uint32_t i = 0; i < count; ++i) {
    const UniqueFd attached(bpf_prog_get_fd_by_id(ids[i]));
    if (attached.valid() && name_of(attached.get()) == name) {
      bpf_prog_detach2(attached.get(), group, hook);
    }
  }
}

}  // namespace

Result<void> ProgramSet::attach(const Cgroup& cgroup, const pb_endpoint& endpoint,
                                bool fresh) const {
  const int group = cgroup.directory.get();
  for (const Hook& hook : hooks_) {
    if (!fresh) {
      detach_older(hook.program.get(), group, hook.type);
    }
    // Not a link: that would end with its last descriptor or pin, this ends with the group.
    if (bpf_prog_attach(hook.program.get(), group, hook.type, BPF_F_ALLOW_MULTI) != 0) {
      return fail(bpf_error(errno, "attach the bind enforcer to " + cgroup.path,
                            "a program that a control group above has may forbid others"));
    }
  }
  pb_state state = {};
  state.endpoint = endpoint;
  state.ready = 1;
  state.id = cgroup.id;
  if (bpf_map_update_elem(endpoints_.get(), &cgroup.id, &state, BPF_EXIST) != 0) {
    return fail(bpf_error(errno, "enter the endpoint into the storage of " + cgroup.path));
  }
  return {};
}

Result<void> ProgramSet::put_log(const Cgroup& cgroup, int ring) const {
  if (bpf_map_update_elem(logs_.get(), &cgroup.id, &ring, BPF_ANY) != 0) {
    return fail(bpf_error(errno, "enter the log into the bind enforcer's map"));
  }
  return {};
}

void ProgramSet::disown(const Cgroup& cgroup) const {
  const pb_state nobody = {};
  bpf_map_update_elem(endpoints_.get(), &cgroup.id, &nobody, BPF_EXIST);
  bpf_map_delete_elem(logs_.get(), &cgroup.id);
}

Result<void> remove_if_unused(const EnforcePlace& place) {
  if (!children_of(place.anchor).empty()) {
    return {};
  }
  const std::string bpffs = bpffs_of(place);
  if (is_bpffs(bpffs)) {
    for (const std::string& set : children_of(bpffs)) {
      remove_pins(bpffs + "/" + set);
    }
    if (::umount2(bpffs.c_str(), MNT_DETACH) != 0) {
      return fail(Error::from_errno(errno, "unmount " + bpffs));
    }
  }
  if (auto ok = remove_cgroup(place.anchor); !ok) {
    return ok;
  }
  std::error_code error;
  fs::remove_all(place.directory, error);
  if (error) {
    return fail(Error::from_errno(error.value(), "remove " + place.directory));
  }
  return {};
}

Result<void> probe_programs() {
  bpf::listen_to_libbpf();
  errno = 0;
  const int known = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, nullptr);
  if (known == 1 && ::geteuid() == 0) {
    return {};
  }
  if (known == -EPERM || errno == EPERM || ::geteuid() != 0) {
    return fail(Error::from_errno(EPERM, "load eBPF programs for cgroup hooks",
                                  "run it with sudo, or use --enforce seccomp"));
  }
  return fail(Error::of(Errc::unsupported, "load eBPF programs for cgroup hooks",
                        "the kernel lacks CONFIG_CGROUP_BPF; use --enforce seccomp"));
}

}  // namespace particle::bind
