// SPDX-License-Identifier: Apache-2.0
// All the peers that one owner keeps, replaced in one change.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "pool/peer_change.hpp"

namespace particle {
namespace {

/// Who has which addresses. Disjoint prefixes overlap a further one only next to its place in order.
struct Claims {
  std::map<IpAddress, std::pair<IpPrefix, std::string>> prefixes;
  std::map<Mac, std::string> macs;

  /// Errors: conflict, naming whose it is already.
  Result<void> add(const Peer& peer, const std::vector<IpPrefix>& claimed, const std::string& who) {
    for (const auto& prefix : claimed) {
      auto place = prefixes.lower_bound(prefix.network());
      const bool after = place != prefixes.end() && place->second.first.overlaps(prefix);
      if (!after && place != prefixes.begin()) --place;
      if (place != prefixes.end() && place->second.first.overlaps(prefix)) {
        return fail(peer_conflict(peer, prefix.to_string() + " overlaps " +
                                            place->second.first.to_string() + " of " +
                                            place->second.second));
      }
      prefixes.emplace(prefix.network(), std::pair{prefix, who});
    }
    const auto [mac, is_new] = macs.emplace(peer.mac, who);
    if (is_new) return {};
    return fail(peer_conflict(peer, "MAC " + peer.mac.to_string() + " is that of " + mac->second));
  }
};

Result<void> check_one(const Peer& peer, const std::string& tenant) {
  std::vector<Error> errors = check(peer);
  if (peer.tenant != tenant) {
    errors.push_back(Error::of(Errc::invalid_argument,
                               "it is of tenant " + peer.tenant + ", not of tenant " + tenant));
  }
  if (auto error = combine(std::move(errors), "peer " + peer.vtep.to_string()))
    return fail(*std::move(error));
  return {};
}

/// The wanted peers against the node, the peers of other owners, and each other.
Result<void> check_set(const std::vector<Peer>& wanted, const std::vector<Peer>& others,
                       const StoredTenant& tenant) {
  Claims claims;
  for (const auto& pool : tenant.pools) {
    const Peer self{tenant.record->tenant, tenant.record->vtep, pool.mac, pool.owned()};
    if (auto ok = claims.add(self, self.prefixes, "pool " + pool.name + " on this node"); !ok)
      return ok;
  }
  for (const auto* peers : {&others, &wanted}) {
    for (const auto& peer : *peers) {
      if (auto ok = check_against_node(peer, tenant); peers == &wanted && !ok) return ok;
      if (auto ok = claims.add(peer, peer.prefixes, "peer " + peer.vtep.to_string()); !ok)
        return ok;
    }
  }
  return {};
}

std::vector<Neighbour> as_neighbours(const std::vector<Peer>& peers) {
  std::vector<Neighbour> out;
  out.reserve(peers.size());
  std::transform(peers.begin(), peers.end(), std::back_inserter(out),
                 [](const Peer& peer) { return as_neighbour(peer); });
  return out;
}

}  // namespace

Result<Outcome> Node::replace_peers(const std::string& tenant, const std::string& owner,
                                    const std::vector<Peer>& peers,
                                    const ApplyOptions& options) const {
  if (auto ok = check_name("owner", owner); !ok) return fail(std::move(ok.error()));
  std::vector<Peer> wanted = peers;
  for (Peer& peer : wanted) {
    if (auto ok = check_one(peer, tenant); !ok) return fail(std::move(ok.error()));
    peer.owner = owner;
  }
  auto scene = enter_peers(*state_, tenant);
  if (!scene) return fail(std::move(scene.error()));
  const StoredTenant& stored = scene->tenant;
  std::vector<Peer> before;
  std::vector<Peer> after;
  for (const Peer& peer : stored.peers) (peer.owner == owner ? before : after).push_back(peer);
  if (auto ok = check_set(wanted, after, stored); !ok) return fail(std::move(ok.error()));
  after.insert(after.end(), wanted.begin(), wanted.end());

  auto vtep = state_->observe_pin(vxlan_pin(state_->layout, *stored.record));
  if (!vtep) return fail(std::move(vtep.error()));
  PeerSetChange change{before, wanted, as_neighbours(before), as_neighbours(wanted)};
  Plan removals;
  Plan additions;
  for (const auto& pool : stored.pools) {
    auto have = state_->observe_pin(state_->layout.pool_pin(pool.name));
    if (!have) return fail(std::move(have.error()));
    plan_neighbour_set(removals, additions, pool, *have, change);
  }
  plan_fdb_set(removals, additions, *stored.record, *vtep, change);
  // Forgotten before it is recorded, entered after: a cut-off change is found again, and gc knows
  // from the record whatever the kernel may still have or lack.
  Plan plan = std::move(removals);
  if (after != stored.peers) plan.steps.push_back(peers_record_step(state_->layout, stored, after));
  std::move(additions.steps.begin(), additions.steps.end(), std::back_inserter(plan.steps));
  Places places = state_->places(tenant);
  return apply(plan, places, options);
}

}  // namespace particle
