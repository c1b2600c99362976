// SPDX-License-Identifier: Apache-2.0
/// What is left of an endpoint in the kernel when its processes are gone: sockets that were handed to
/// others, or that still wait for a peer. The namespace stays, and so would they.
#pragma once

#include <cstddef>
#include <vector>

#include <particle/lease.hpp>
#include <particle/netns.hpp>
#include <particle/result.hpp>

namespace particle::bind {

/// Ends every TCP (MPTCP) and UDP socket of `netns` that is bound to one of the endpoint's addresses, its
/// loopback alias included: whoever leases it next can bind every port, and gets nobody else's
/// connections. Whoever holds such a socket is told so (ECONNABORTED); peers get a reset. For after the
/// endpoint's processes have ended and before its lease is released. Costs about 1 ms, most of it the
/// kernel's walk through its table of connections.
/// Returns how many were ended.
/// Errors: unsupported (EOPNOTSUPP) without CONFIG_INET_DIAG_DESTROY; permission_denied.
/// Threads: any. Kernel: net/ipv4/inet_diag.c, net/core/sock_diag.c:sock_diag_destroy, 4.5.
Result<std::size_t> end_sockets(const NetNs& netns, const Endpoint& endpoint);
/// The same for many endpoints of one namespace, with one walk through the kernel's table.
Result<std::size_t> end_sockets(const NetNs& netns, const std::vector<Endpoint>& endpoints);

}  // namespace particle::bind
