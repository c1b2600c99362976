// SPDX-License-Identifier: Apache-2.0
/// The seccomp filters. They look at the numbers of a call only; what needs the memory or the socket
/// behind them is handed to the agent.
#pragma once

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::bind {

enum class FilterKind {
  listen_only,  ///< beside the cgroup hooks, which do not see listen()
  everything,   ///< seccomp alone
};

/// Installs the filter in the calling process, for good, and returns the listener. The process should
/// be single-threaded. Needs CAP_SYS_ADMIN, or sets no_new_privs.
/// Errors: busy (EBUSY) when a filter with a listener is already there: the kernel allows one.
Result<UniqueFd> install_filter(FilterKind kind, bool allow_raw);

/// Errors: unsupported when the kernel has no user notification.
Result<void> probe_filter();

}  // namespace particle::bind
