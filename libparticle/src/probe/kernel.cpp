// SPDX-License-Identifier: Apache-2.0
/// What the kernel offers to everybody.
#include <cerrno>
#include <cstdio>
#include <utility>

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "probe/report.hpp"

namespace particle::probe {
namespace {

constexpr int kSoNetnsCookie = 71;

Finding kernel_version() {
  utsname name{};
  if (uname(&name) != 0) return unknown("uname failed", "");
  unsigned major = 0;
  unsigned minor = 0;
  if (std::sscanf(name.release, "%u.%u", &major, &minor) != 2) {
    return unknown(name.release, "compare with the minimum by hand");
  }
  if (std::pair(major, minor) >= std::pair(4U, 12U)) return ok(name.release);
  return no(name.release, "use Linux 4.12 or newer");
}

Finding netns_cookie() {
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (getsockopt(fd.get(), SOL_SOCKET, kSoNetnsCookie, &cookie, &size) == 0) {
    return ok("cookie " + std::to_string(cookie));
  }
  return refused(Error::from_errno(errno, "getsockopt SO_NETNS_COOKIE"),
                 "use Linux 5.14 or newer; until then inode numbers, which the kernel reuses, "
                 "stand in");
}

Finding extended_acks() {
  const UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  const int on = 1;
  if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) == 0) return ok("");
  return refused(Error::from_errno(errno, "setsockopt NETLINK_EXT_ACK"),
                 "use Linux 4.12 or newer: errors will lack the kernel's own words");
}

Finding ipv6() {
  if (access("/proc/sys/net/ipv6", F_OK) != 0) {
    return no("this kernel has no IPv6", "boot without ipv6.disable=1, or use IPv4 prefixes only");
  }
  const auto disabled = read_number("/proc/sys/net/ipv6/conf/all/disable_ipv6");
  if (!disabled)
    return unknown("net.ipv6.conf.all.disable_ipv6 cannot be read", "is /proc mounted?");
  if (*disabled == 0) return ok("");
  return no("disabled in this namespace",
            "sysctl net.ipv6.conf.all.disable_ipv6=0, or use IPv4 prefixes only");
}

}  // namespace

void probe_kernel(Report& report) {
  add(report, {"kernel-version", "everything", "4.12", true}, kernel_version());
  add(report, {"extended-acks", "errors in the kernel's own words", "4.12"}, extended_acks());
  add(report, {"netns-cookie", "telling a node's namespace from a later one", "5.14"},
      netns_cookie());
  add(report, {"ipv6", "IPv6 pools and underlays", ""}, ipv6());
}

}  // namespace particle::probe
