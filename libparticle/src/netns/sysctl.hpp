// SPDX-License-Identifier: Apache-2.0
/// Sysctls of the calling thread's network namespace.
#pragma once

#include <vector>

#include <particle/netns.hpp>

namespace particle::detail {

/// Writes each value in order; the first refusal ends it. /proc/sys/net shows the namespace of the
/// thread that opens the file (fs/proc/proc_sysctl.c:sysctl_head_grab via current->nsproxy).
/// Errors: invalid_argument for a path that is not below net/ (it would be the whole host's).
Result<void> write_sysctls_here(const std::vector<Sysctl>& sysctls);

}  // namespace particle::detail
