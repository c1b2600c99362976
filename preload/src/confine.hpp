// SPDX-License-Identifier: Apache-2.0
/// What no mechanism can decide call by call is taken from the process once, before exec.
#pragma once

#include <particle/result.hpp>

namespace particle::bind {

/// Takes CAP_NET_ADMIN (it could reconfigure the pool) and, unless allowed, CAP_NET_RAW (it opens
/// packet sockets, which no cgroup hook sees) from the process and all it will start.
Result<void> drop_network_capabilities(bool allow_raw);

/// Keeps the process from connecting to abstract UNIX sockets that were bound outside of it: they are
/// one name space for the whole pool. Kernel: Landlock ABI 6 (6.12); does nothing on an older one.
Result<void> scope_abstract_sockets();

}  // namespace particle::bind
