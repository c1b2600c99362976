// SPDX-License-Identifier: Apache-2.0
#include "lease_access.hpp"

#include <cerrno>
#include <cstdlib>

#include <sched.h>

#include "node_access.hpp"

namespace particle::cli {
namespace {

constexpr std::chrono::milliseconds kWaitMargin{100};

}  // namespace

Result<std::vector<Lease>> take_lease(const Node& node, LeaseRequest request,
                                      std::optional<std::chrono::milliseconds> wait) {
  request.wait = wait.value_or(std::chrono::milliseconds(0));
  Result<std::vector<Lease>> leases = node.lease(request);
  if (leases || wait || leases.error().kind() != Errc::busy) {
    return leases;
  }
  const Result<PoolInfo> pool = find_pool(node, request.pool);
  if (!pool) {
    return fail(pool.error());
  }
  request.wait = pool->cooldown + kWaitMargin;
  return node.lease(request);
}

void export_lease(const Lease& lease) {
  const Endpoint& endpoint = lease.endpoint;
  const auto& address = endpoint.v4 ? endpoint.v4 : endpoint.v6;
  ::setenv("PARTICLE_HOLDER", lease.holder.c_str(), 1);
  if (address) {
    ::setenv("PARTICLE_IP", address->to_string().c_str(), 1);
  }
  if (endpoint.v6) {
    ::setenv("PARTICLE_IP6", endpoint.v6->to_string().c_str(), 1);
  }
}

Result<NetNs> open_lease_netns(const Node& node, const Lease& lease) {
  const Result<PoolInfo> pool = find_pool(node, lease.pool);
  if (!pool) {
    return fail(pool.error());
  }
  if (pool->isolation == Isolation::container) {
    auto direct = NetNs::open_path(lease.netns_path);
    // A pin, seen from a mount namespace that it was not made in, as `ip netns exec` gives one.
    return direct ? std::move(direct) : open_pinned_netns(lease.netns_path);
  }
  return node.open_pool_netns(lease.pool);
}

Result<void> enter_netns(const NetNs& target, const std::string& pool) {
  if (::setns(target.fd(), CLONE_NEWNET) != 0) {
    return fail(Error::from_errno(errno, "enter the namespace of pool " + pool,
                                  "CAP_SYS_ADMIN is needed; run it with sudo"));
  }
  return {};
}

}  // namespace particle::cli
