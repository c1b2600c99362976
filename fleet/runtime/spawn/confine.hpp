// SPDX-License-Identifier: Apache-2.0
/// What an instance may no longer do: last before its command.
#pragma once

#include "spawn/failure.hpp"
#include "spawn/wire.hpp"

namespace particle::fleet::spawn {

/// Capabilities outside of job.capabilities are dropped for good, no_new_privs is set, abstract UNIX
/// sockets are kept apart, the filter is installed.
Failure confine(const Job& job);

/// Installs the filter that hands calls over, and sends its listener to the bind agent by kListeners, which is
/// closed then: from here on the agent decides, and without it they fail. After confine().
Failure hand_over_calls(const Job& job, std::uint64_t token);

/// Installs a filter: an array of sock_filter, none when it is empty.
Failure install_filter(const std::string& filter);

}  // namespace particle::fleet::spawn
