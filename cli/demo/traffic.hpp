// SPDX-License-Identifier: Apache-2.0
/// Who calls whom: every endpoint of node A its opposite on node B, and on each node every endpoint
/// its neighbour; both tenants at the same time, on the same addresses and the same port.
#pragma once

#include "demo/facts.hpp"

namespace particle::cli::demo {

Result<void> run_traffic(Facts& facts, const Watch& watch);

/// The pool of `tenant` on `node`.
const Pool& pool_of(const Facts& facts, std::size_t node, std::size_t tenant);

}  // namespace particle::cli::demo
