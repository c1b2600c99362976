// SPDX-License-Identifier: Apache-2.0
/// What the bind enforcer can use: cgroup programs, seccomp notification.
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "probe/capabilities.hpp"
#include "probe/report.hpp"

namespace particle::probe {
namespace {

/// The first mount of file system `type`: "ID PARENT MAJ:MIN ROOT POINT ... - TYPE ...".
std::optional<std::string> mount_point_of(std::string_view type) {
  std::ifstream file("/proc/self/mountinfo");
  const std::string mark = " - " + std::string(type) + " ";
  for (std::string line; std::getline(file, line);) {
    if (line.find(mark) == std::string::npos) continue;
    std::istringstream fields(line);
    std::string word;
    for (int field = 0; field < 5; ++field) fields >> word;
    return word;
  }
  return std::nullopt;
}

Finding cgroup2() {
  if (const auto point = mount_point_of("cgroup2")) return ok("at " + *point);
  return no("not mounted here",
            "mount -t cgroup2 none /sys/fs/cgroup; note that `ip netns exec` hides /sys/fs/cgroup");
}

Finding cgroup_programs() {
  if (has_capability(CAP_SYS_ADMIN) || (has_capability(CAP_BPF) && has_capability(CAP_NET_ADMIN))) {
    return ok("capabilities held");
  }
  return no("neither CAP_SYS_ADMIN nor CAP_BPF with CAP_NET_ADMIN",
            "run as root; the enforcer falls back to seccomp or the preload library");
}

Finding bpf_fs() {
  struct statfs info{};
  if (statfs("/sys/fs/bpf", &info) == 0 && info.f_type == BPF_FS_MAGIC) return ok("at /sys/fs/bpf");
  if (const auto point = mount_point_of("bpf")) return ok("at " + *point);
  return no("not mounted", "mount -t bpf bpf /sys/fs/bpf");
}

Finding seccomp_notification() {
  const std::uint32_t action = SECCOMP_RET_USER_NOTIF;
  if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return ok("");
  return refused(Error::from_errno(errno, "seccomp SECCOMP_RET_USER_NOTIF"),
                 "use Linux 5.0 or newer; the enforcer falls back to the preload library");
}

}  // namespace

void probe_enforcement(Report& report) {
  add(report, {"cgroup2", "the bind enforcer's cgroup programs", "4.5"}, cgroup2());
  add(report, {"cgroup-bpf", "the bind enforcer's cgroup programs", "4.17"}, cgroup_programs());
  add(report, {"bpffs", "enforcer programs that outlive their loader", "4.4"}, bpf_fs());
  add(report, {"seccomp-notification", "the bind enforcer without eBPF", "5.0"},
      seccomp_notification());
}

}  // namespace particle::probe
