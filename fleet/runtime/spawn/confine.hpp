// SPDX-License-Identifier: Apache-2.0
/// What an instance may no longer do: last before its command.
#pragma once

#include "spawn/failure.hpp"
#include "spawn/wire.hpp"

namespace particle::fleet::spawn {

/// Capabilities outside of job.capabilities are dropped for good, no_new_privs is set, abstract UNIX
/// sockets are kept apart, the filter is installed.
Failure confine(const Job& job);

/// Installs a filter: an array of sock_filter, none when it is empty.
Failure install_filter(const std::string& filter);

}  // namespace particle::fleet::spawn
