// SPDX-License-Identifier: Apache-2.0
/// The pool that a configuration asks for.
#pragma once

#include <particle/node.hpp>

#include "commands/commands.hpp"

namespace particle::cni {

/// Whether the pool is the configuration's, as far as its record tells. Cheaper than ensure_pool, which
/// looks at the kernel; in doubt that one decides.
bool is_plainly_the_same(const PoolInfo& pool, const NetConf& conf);

/// The pool of the configuration, made when it is not there. `exists`: it was there a moment ago.
/// Errors: those of Node::create_pool, translated; invalid_config when it exists with another spec.
Answer<void> ensure_pool(const Call& call, bool exists);

}  // namespace particle::cni
