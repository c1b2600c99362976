// SPDX-License-Identifier: Apache-2.0
/// TCP sockets bound to an address inside a namespace. The kernel keeps a socket in the namespace
/// it was made in, whichever thread uses it afterwards.
#pragma once

#include <cstdint>
#include <vector>

#include <particle/ip.hpp>
#include <particle/netns.hpp>
#include <particle/unique_fd.hpp>

namespace particle::cli::demo {

/// The TCP port that every endpoint serves: all of them the same one, each on its own address.
inline constexpr std::uint16_t kPort = 7000;

/// A non-blocking listener in the calling thread's namespace.
Result<UniqueFd> open_listener(const IpAddress& address, std::uint16_t port);

/// A non-blocking socket in the calling thread's namespace that has begun to connect, from `source`
/// when that is given. Errors: the errno of connect(2) when it fails at once.
Result<UniqueFd> open_connection(const IpAddress* source, const IpAddress& target,
                                 std::uint16_t port);

/// Takes a waiting connection; an invalid descriptor when none waits.
UniqueFd accept_connection(const UniqueFd& listener);

/// The other side's address, as accept's side sees it. Errors: ENOTCONN.
Result<IpAddress> peer_address(const UniqueFd& connection);
Result<IpAddress> local_address(const UniqueFd& connection);

/// SO_ERROR: how a connect that was in progress ended; 0 when it succeeded.
int pending_error(const UniqueFd& connection);

}  // namespace particle::cli::demo
