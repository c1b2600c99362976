// SPDX-License-Identifier: Apache-2.0
/// Limits that a large job meets first.
#include <cerrno>

#include <sys/resource.h>

#include <particle/session.hpp>

#include "probe/report.hpp"

namespace particle::probe {
namespace {

constexpr rlim_t kEnoughFiles = 1024;
constexpr long long kEnoughNamespaces = 64;
constexpr std::size_t kEnoughRequests = 64;

std::string limit_text(rlim_t limit) {
  return limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit);
}

Finding open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return unknown("getrlimit failed", "");
  std::string detail =
      limit_text(limit.rlim_cur) + ", can be raised to " + limit_text(limit.rlim_max);
  if (limit.rlim_cur >= kEnoughFiles) return ok(std::move(detail));
  return no(std::move(detail), "ulimit -n 1024, or LimitNOFILE= in the service");
}

Finding network_namespaces() {
  const auto most = read_number("/proc/sys/user/max_net_namespaces");
  if (!most) return unknown("user.max_net_namespaces cannot be read", "is /proc mounted?");
  std::string detail = std::to_string(*most) + " for this user";
  if (*most >= kEnoughNamespaces) return ok(std::move(detail));
  return no(std::move(detail), "sysctl user.max_net_namespaces=10000");
}

Finding receive_buffer() {
  const auto session = Session::open();
  if (!session) return refused(session.error(), "");
  std::string detail = "windows of " + std::to_string(session->window()) + " requests";
  if (session->window() >= kEnoughRequests) return ok(std::move(detail));
  return no(std::move(detail), "sysctl net.core.rmem_default=212992");
}

}  // namespace

void probe_limits(Report& report) {
  add(report, {"limit-open-files", "sessions and namespaces held open", ""}, open_files());
  add(report, {"limit-net-namespaces", "pools and VTEPs on this node", "4.9"},
      network_namespaces());
  add(report, {"netlink-window", "large batches of addresses", ""}, receive_buffer());
}

}  // namespace particle::probe
