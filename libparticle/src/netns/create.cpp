// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <optional>
#include <utility>

#include <sched.h>

#include <particle/netns.hpp>

#include "netns/create.hpp"
#include "netns/hints.hpp"
#include "netns/sysctl.hpp"
#include "netns/worker.hpp"

namespace particle {
namespace {

Error unshare_refused(int error) {
  const std::string operation = "create a network namespace (unshare CLONE_NEWNET)";
  switch (error) {
    case EPERM:
      return Error::from_errno(error, operation, detail::kNeedsSysAdmin);
    case ENOSPC:
      return Error::from_errno(error, operation, detail::kNamespaceLimit);
    // The kernel's answer when it was built without CONFIG_NET_NS.
    case EINVAL:
      return Error::of(Errc::unsupported, operation, "use a kernel with CONFIG_NET_NS");
    default:
      return Error::from_errno(error, operation);
  }
}

}  // namespace

namespace detail {

Result<void> enter_fresh_netns() {
  if (unshare(CLONE_NEWNET) != 0) return fail(unshare_refused(errno));
  return {};
}

Result<FreshNetNs> furnish_netns_here(const std::vector<Sysctl>& sysctls) {
  if (auto written = write_sysctls_here(sysctls); !written) return fail(std::move(written.error()));
  auto session = Session::open();
  if (!session) return fail(std::move(session.error()));
  auto netns = NetNs::current();
  if (!netns) return fail(std::move(netns.error()));
  return FreshNetNs{std::move(*netns), std::move(*session)};
}

}  // namespace detail

Result<FreshNetNs> create_netns(const std::vector<Sysctl>& sysctls) {
  std::optional<FreshNetNs> fresh;
  auto ran = detail::run_on_worker([&]() -> Result<void> {
    if (auto entered = detail::enter_fresh_netns(); !entered) return entered;
    auto made = detail::furnish_netns_here(sysctls);
    if (!made) return fail(std::move(made.error()));
    fresh.emplace(std::move(*made));
    return {};
  });
  if (!ran) return fail(std::move(ran.error()));
  return std::move(*fresh);
}

}  // namespace particle
