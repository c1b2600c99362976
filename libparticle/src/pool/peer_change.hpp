// SPDX-License-Identifier: Apache-2.0
/// What every change of a tenant's peers has in common: the lock, the record, what must not be.
#pragma once

#include <string>
#include <vector>

#include "pool/node_state.hpp"

namespace particle {

/// Everything of a tenant that a change of its peers touches, under its lock.
struct PeerScene {
  Locks locks;
  StoredTenant tenant;
};

Error no_such_tenant(const std::string& tenant);
Result<PeerScene> enter_peers(const NodeState& node, const std::string& tenant);
Error peer_conflict(const Peer& peer, std::string what, std::string hint = {});
/// `peer` against this node's own VTEP and MACs.
Result<void> check_against_node(const Peer& peer, const StoredTenant& tenant);
/// Writes the tenant's peers.json, or removes it when there are none.
Step peers_record_step(const Layout& layout, const StoredTenant& before,
                       const std::vector<Peer>& after);

}  // namespace particle
