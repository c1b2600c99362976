// SPDX-License-Identifier: Apache-2.0
/// From what an adapter knows of the other nodes to what this node's kernel has: the difference, and
/// its application.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <particle/node.hpp>
#include <particle/peer.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>

#include "adapter.hpp"

namespace particle::overlay {

/// An announcement that is not entered, and why.
struct Refusal {
  Announcement announcement;
  std::string reason;  ///< "10.1.0.0/24 overlaps 10.1.0.0/16 of pool a on this node"
};

/// One tenant's part of a difference.
struct TenantDifference {
  std::string tenant;
  std::vector<Peer> wanted;   ///< all that the owner is to keep
  std::vector<Peer> added;    ///< of these, the new ones
  std::vector<Peer> removed;  ///< kept until now, and no longer
  std::vector<Peer> damaged;  ///< wanted and recorded, but the kernel lacks part of it
  [[nodiscard]] bool empty() const { return added.empty() && removed.empty() && damaged.empty(); }
};

struct Difference {
  std::vector<TenantDifference> tenants;  ///< those that need a change
  std::vector<Refusal> refused;
  std::vector<std::string> warnings;  ///< "MTU 1400 there, 1450 here"
  std::map<std::string, std::size_t>
      peers;  ///< how many there will be once this is applied, by tenant
};

/// Pure. `pools` are this node's, `peers` those of every owner. Announcements of tenants that have no
/// pool here concern nobody and are passed over.
Difference compare(const PeerView& view, const std::vector<PoolInfo>& pools,
                   const std::vector<PeerInfo>& peers, std::string_view owner);

/// What was done.
struct Reconciled {
  Difference difference;
  std::vector<Error> errors;  ///< one for each tenant that could not be changed
  [[nodiscard]] bool changed() const { return !difference.tenants.empty(); }
};

/// Compares and applies, one change per tenant; goes on past a tenant that fails.
/// Errors: when this node's pools or peers cannot be read.
Result<Reconciled> reconcile(const Node& node, const PeerView& view, const std::string& owner,
                             const ApplyOptions& options = {});

}  // namespace particle::overlay
