// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <utility>

#include "pool/peer_change.hpp"

namespace particle {

Error no_such_tenant(const std::string& tenant) {
  return Error::of(Errc::not_found, "tenant " + tenant + " has no pool on this node",
                   "create its pool first; `particle list-pools` shows what is here");
}

Result<PeerScene> enter_peers(const NodeState& node, const std::string& tenant) {
  if (auto ok = check_name("tenant", tenant); !ok) return fail(std::move(ok.error()));
  auto locks = node.lock(tenant, false);
  if (!locks)
    return fail(locks.error().kind() == Errc::not_found ? no_such_tenant(tenant)
                                                        : std::move(locks.error()));
  auto stored = node.load_tenant(tenant);
  if (!stored) return fail(std::move(stored.error()));
  if (!stored->recorded) return fail(no_such_tenant(tenant));
  return PeerScene{*std::move(locks), *std::move(stored)};
}

Error peer_conflict(const Peer& peer, std::string what, std::string hint) {
  return Error::of(
      Errc::conflict,
      "peer " + peer.vtep.to_string() + " of tenant " + peer.tenant + ": " + std::move(what),
      std::move(hint));
}

Result<void> check_against_node(const Peer& peer, const StoredTenant& tenant) {
  if (peer.vtep == tenant.record->vtep)
    return fail(peer_conflict(peer, "this is the node's own VTEP address"));
  if (peer.vtep.family() == tenant.record->vtep.family()) return {};
  return fail(peer_conflict(
      peer, "its family differs from this node's VTEP address " + tenant.record->vtep.to_string()));
}

/// The file says what is wanted before the kernel is changed, so that a cut-off change is completed
/// by gc or by the same command.
Step peers_record_step(const Layout& layout, const StoredTenant& before,
                       const std::vector<Peer>& after) {
  const std::string path = layout.tenant_peers(before.record->tenant);
  const Action undo = before.peers.empty() ? Action{RemoveFile{path}}
                                           : Action{WriteFile{path, to_text(before.peers)}};
  const Action action =
      after.empty() ? Action{RemoveFile{path}} : Action{WriteFile{path, to_text(after)}};
  return {.name = "record.peers",
          .stage = Stage::record,
          .what = "record " + std::to_string(after.size()) + " peer" +
                  (after.size() == 1 ? "" : "s") + " of tenant " + before.record->tenant,
          .action = action,
          .undo = {undo}};
}

namespace {

Result<void> check_prefixes(const Peer& peer, const std::string& other,
                            const std::vector<IpPrefix>& theirs) {
  for (const auto& a : peer.prefixes) {
    for (const auto& b : theirs) {
      if (!a.overlaps(b)) continue;
      return fail(
          peer_conflict(peer, a.to_string() + " overlaps " + b.to_string() + " of " + other,
                        "give exactly the peer's own addresses: `show-pool --json` there lists "
                        "them, and --from reads it"));
    }
  }
  return {};
}

/// One record per pool of a remote node. A pool that was made anew there may have another MAC.
bool is_same_pool(const Peer& a, const Peer& b) {
  if (a.vtep != b.vtep) return false;
  return a.mac == b.mac || std::any_of(a.prefixes.begin(), a.prefixes.end(), [&](const auto& mine) {
           return std::any_of(b.prefixes.begin(), b.prefixes.end(),
                              [&](const auto& theirs) { return mine.overlaps(theirs); });
         });
}

Result<void> check_against(const Peer& peer, const StoredTenant& tenant) {
  if (auto ok = check_against_node(peer, tenant); !ok) return ok;
  for (const auto& pool : tenant.pools) {
    if (pool.mac == peer.mac)
      return fail(peer_conflict(
          peer, "MAC " + peer.mac.to_string() + " is that of pool " + pool.name + " here"));
    if (auto ok = check_prefixes(peer, "pool " + pool.name + " on this node", pool.owned()); !ok)
      return ok;
  }
  for (const auto& other : tenant.peers) {
    if (is_same_pool(other, peer)) continue;
    if (other.mac == peer.mac)
      return fail(peer_conflict(
          peer, "MAC " + peer.mac.to_string() + " is that of peer " + other.vtep.to_string()));
    if (auto ok = check_prefixes(peer, "peer " + other.vtep.to_string(), other.prefixes); !ok)
      return ok;
  }
  return {};
}

/// Takes a peer's entries off every pool and the VTEP.
void plan_forget(Plan& plan, const StoredTenant& tenant, const Peer& peer) {
  for (const auto& pool : tenant.pools) plan_forget_neighbour(plan, pool, as_neighbour(peer));
  plan_forget_fdb(plan, *tenant.record, peer);
}

void plan_enter(Plan& plan, const StoredTenant& tenant, const Peer& peer) {
  plan_fdb(plan, *tenant.record, {peer}, {});
  for (const auto& pool : tenant.pools) plan_neighbours(plan, pool, {}, {as_neighbour(peer)});
}

/// The tenant's peers, each with what the kernel lacks of it.
Result<std::vector<PeerInfo>> inspect_peers(const NodeState& node, const std::string& name,
                                            const StoredTenant& tenant) {
  std::vector<PeerInfo> infos;
  if (tenant.peers.empty()) return infos;
  const TenantRecord record = tenant.record_or_bare(name);
  auto vtep = node.observe_pin(vxlan_pin(node.layout, record));
  if (!vtep) return fail(std::move(vtep.error()));
  std::vector<Plan> missing(tenant.peers.size());
  const KnownEntries forwarding(*vtep);
  const IfIndex vxlan = vxlan_of(*vtep, record);
  for (std::size_t i = 0; i < tenant.peers.size(); ++i)
    plan_fdb_entry(missing[i], record, tenant.peers[i], forwarding, vxlan);
  for (const auto& pool : tenant.pools) {
    auto have = node.observe_pin(node.layout.pool_pin(pool.name));
    if (!have) return fail(std::move(have.error()));
    const KnownEntries known(*have);
    for (std::size_t i = 0; i < tenant.peers.size(); ++i)
      plan_neighbour(missing[i], pool, known, as_neighbour(tenant.peers[i]));
  }
  for (std::size_t i = 0; i < tenant.peers.size(); ++i) {
    PeerInfo info{.peer = tenant.peers[i], .programmed = missing[i].empty(), .problems = {}};
    for (const auto& step : missing[i].steps) info.problems.push_back("missing: " + step.what);
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace

Result<Outcome> Node::add_peer(const Peer& peer, const ApplyOptions& options) const {
  if (auto error = combine(check(peer), "peer " + peer.vtep.to_string()))
    return fail(*std::move(error));
  auto scene = enter_peers(*state_, peer.tenant);
  if (!scene) return fail(std::move(scene.error()));
  const StoredTenant& tenant = scene->tenant;
  if (auto ok = check_against(peer, tenant); !ok) return fail(std::move(ok.error()));
  std::vector<Peer> peers = tenant.peers;
  const auto known = std::find_if(peers.begin(), peers.end(),
                                  [&](const Peer& p) { return is_same_pool(p, peer); });
  if (known != peers.end() && known->owner != peer.owner) {
    const std::string who =
        known->owner.empty() ? "was added by hand" : "is kept by " + known->owner;
    return fail(peer_conflict(peer, "it " + who + " already",
                              "its addresses come from there; `particle list-peers` shows them"));
  }
  Plan plan;
  if (known != peers.end() && *known == peer) {
    auto infos = list_peers(peer.tenant);
    if (!infos) return fail(std::move(infos.error()));
    const auto info = std::find_if(infos->begin(), infos->end(),
                                   [&](const PeerInfo& i) { return i.peer == peer; });
    if (info != infos->end() && info->programmed) return Outcome{};
  } else if (known != peers.end()) {
    const Peer old = std::exchange(*known, peer);
    // Forgotten before it is recorded: a cut-off change is found again while the old record stands.
    plan_forget(plan, tenant, old);
    plan.steps.push_back(peers_record_step(state_->layout, tenant, peers));
  } else {
    peers.push_back(peer);
    plan.steps.push_back(peers_record_step(state_->layout, tenant, peers));
  }
  plan_enter(plan, tenant, peer);
  Places places = state_->places(peer.tenant);
  return apply(plan, places, options);
}

Result<Outcome> Node::remove_peer(const std::string& tenant, const IpAddress& vtep,
                                  const ApplyOptions& options) const {
  auto scene = enter_peers(*state_, tenant);
  if (!scene) return fail(std::move(scene.error()));
  const StoredTenant& stored = scene->tenant;
  std::vector<Peer> kept = stored.peers;
  std::erase_if(kept, [&](const Peer& p) { return p.vtep == vtep; });
  if (kept.size() == stored.peers.size()) {
    return fail(Error::of(Errc::not_found,
                          "tenant " + tenant + " has no peer " + vtep.to_string() + " on this node",
                          "`particle list-peers` shows those it has"));
  }
  Plan plan;
  for (const auto& peer : stored.peers) {
    if (peer.vtep == vtep) plan_forget(plan, stored, peer);
  }
  // Last: until the kernel has forgotten it, a cut-off removal must be found again.
  plan.steps.push_back(peers_record_step(state_->layout, stored, kept));
  Places places = state_->places(tenant);
  return apply(plan, places, options);
}

Result<std::vector<PeerInfo>> Node::list_peers(const std::optional<std::string>& tenant) const {
  std::vector<std::string> names;
  if (tenant) {
    if (auto ok = check_name("tenant", *tenant); !ok) return fail(std::move(ok.error()));
    names.push_back(*tenant);
  } else {
    auto all = list_directory(state_->layout.tenants());
    if (!all) return fail(std::move(all.error()));
    names = *std::move(all);
  }
  std::vector<PeerInfo> infos;
  for (const auto& name : names) {
    auto stored = state_->load_tenant(name);
    if (!stored) return fail(std::move(stored.error()));
    if (tenant && !stored->record) return fail(no_such_tenant(name));
    auto some = inspect_peers(*state_, name, *stored);
    if (!some) return some;
    std::move(some->begin(), some->end(), std::back_inserter(infos));
  }
  return infos;
}

}  // namespace particle
