// SPDX-License-Identifier: Apache-2.0
/// The parts of garbage collection. Each goes on past single failures, which become findings.
#pragma once

#include <vector>

#include "pool/node_state.hpp"

namespace particle {

/// Node directories of an earlier boot, or of nodes whose namespace is gone.
void collect_other_nodes(const NodeState& node, const GcOptions& options,
                         std::vector<GcFinding>& findings);
/// What cut-off commands left on this node, damaged pools, abandoned leases.
void collect_own_node(const NodeState& state, const Node& node, const GcOptions& options,
                      std::vector<GcFinding>& findings);

}  // namespace particle
