// SPDX-License-Identifier: Apache-2.0
/// Who we are and what that allows.
#include <cerrno>

#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <particle/netns.hpp>

#include "probe/capabilities.hpp"
#include "probe/report.hpp"

namespace particle::probe {
namespace {

constexpr const char* kBecomeRoot =
    "run as root, or inside `unshare --user --map-root-user --net --mount`";
// include/linux/proc_ns.h: PROC_USER_INIT_INO, the initial user namespace's inode since 3.8.
constexpr ino_t kInitialUserNs = 0xEFFFFFFDU;

Finding user() {
  const std::string detail = "uid " + std::to_string(geteuid());
  if (geteuid() == 0 || (has_capability(CAP_NET_ADMIN) && has_capability(CAP_SYS_ADMIN))) {
    return ok(detail);
  }
  return no(detail, kBecomeRoot);
}

/// Capabilities count only where our user namespace owns the network namespace (or one above does).
bool netns_is_ours() {
  const auto netns = NetNs::current();
  if (!netns) return true;
  const UniqueFd owner(ioctl(netns->fd(), NS_GET_USERNS));
  return owner.valid() || errno != EPERM;
}

Finding net_admin() {
  if (!has_capability(CAP_NET_ADMIN)) return no("not held", kBecomeRoot);
  if (!netns_is_ours()) {
    return no("held, but this network namespace belongs to another user namespace",
              "make a network namespace too: `unshare --user --map-root-user --net --mount`");
  }
  return ok("");
}

Finding sys_admin() {
  return has_capability(CAP_SYS_ADMIN) ? ok("") : no("not held", kBecomeRoot);
}

Finding user_namespace() {
  struct stat info{};
  if (stat("/proc/self/ns/user", &info) != 0) {
    return unknown("this kernel has no user namespaces", "");
  }
  if (info.st_ino == kInitialUserNs) return ok("the initial one");
  return ok("inside one: pools end with it");
}

Finding unprivileged_user_namespaces() {
  if (access("/proc/self/ns/user", F_OK) != 0) {
    return no("this kernel has no user namespaces", "use a kernel with CONFIG_USER_NS");
  }
  if (read_number("/proc/sys/user/max_user_namespaces").value_or(1) == 0) {
    return no("user.max_user_namespaces is 0", "sysctl user.max_user_namespaces=10000");
  }
  if (read_number("/proc/sys/kernel/unprivileged_userns_clone").value_or(1) == 0) {
    return no("kernel.unprivileged_userns_clone is 0", "sysctl kernel.unprivileged_userns_clone=1");
  }
  if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").value_or(0) != 0) {
    return no("restricted by AppArmor",
              "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give particle a profile");
  }
  return ok("no setting forbids them");
}

}  // namespace

void probe_user(Report& report) {
  add(report, {"user", "making namespaces and devices", ""}, user());
  add(report, {"cap-net-admin", "devices, addresses and routes", "", true}, net_admin());
  add(report, {"cap-sys-admin", "making, entering and pinning namespaces", "", true}, sys_admin());
  add(report, {"user-namespace", "knowing how long pools last", "3.8"}, user_namespace());
  add(report, {"unprivileged-user-namespaces", "the demo and the tests without root", "3.8"},
      unprivileged_user_namespaces());
}

}  // namespace particle::probe
