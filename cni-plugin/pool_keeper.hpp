// SPDX-License-Identifier: Apache-2.0
/// The pools that ADD makes: who made them, and when an empty one goes.
///
///     <run dir>/cni/<node id>/pools/<pool>/made     the plugin made this pool and may remove it
///     <run dir>/cni/<node id>/idle/<pool>           empty since; removed at this second (boot time)
///
/// A pool that somebody else made has no such files, and is never removed here.
#pragma once

#include <string>
#include <vector>

#include <particle/node.hpp>

#include "commands/commands.hpp"

namespace particle::cni {

/// Whether the pool is the configuration's, as far as its record tells. Cheaper than ensure_pool, which
/// looks at the kernel; in doubt that one decides.
bool is_plainly_the_same(const PoolInfo& pool, const NetConf& conf);

/// The pool of the configuration, made when it is not there. `exists`: it was there a moment ago.
/// Errors: those of Node::create_pool, translated; invalid_config when it exists with another spec.
Answer<void> ensure_pool(const Call& call, bool exists);

/// Removes the pool, or notes since when it is empty, if the plugin made it and no endpoint is
/// leased. `keep`: how long it stays. Failures are left to the next sweep.
void try_retire_pool(const Call& call, const std::string& pool, std::chrono::seconds keep);

/// Retires every pool whose time is over.
void try_sweep_pools(const Call& call);

/// Retires the empty pools that this network's ADDs made and no DEL came for. Those whose time runs
/// already keep it.
void try_retire_abandoned(const Call& call);

}  // namespace particle::cni
