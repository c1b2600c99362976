// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "pool/gc.hpp"
#include "pool/node_state.hpp"

namespace particle {

std::string_view to_string(GcAction action) noexcept {
  switch (action) {
    case GcAction::removed:
      return "removed";
    case GcAction::repaired:
      return "repaired";
    case GcAction::released:
      return "released";
    case GcAction::kept:
      return "kept";
  }
  return "?";
}

Result<std::vector<GcFinding>> Node::collect_garbage(const GcOptions& options) const {
  std::vector<GcFinding> findings;
  collect_other_nodes(*state_, options, findings);
  collect_own_node(*state_, *this, options, findings);
  return findings;
}

}  // namespace particle
