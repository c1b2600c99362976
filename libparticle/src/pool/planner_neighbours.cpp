// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "pool/planner.hpp"

namespace particle {
namespace {

bool is_there(const Change& change, const KnownEntries& have) {
  if (const auto* neigh = std::get_if<NeighSpec>(&change.object)) return have.has(*neigh);
  return have.has(std::get<RouteSpec>(change.object));
}

/// Where nothing was observed, because it has just been made.
IfIndex vxlan_index(const TenantRecord& tenant) {
  return tenant.direct ? kGuestIndex : kVxlanIndex;
}

}  // namespace

KnownEntries::KnownEntries(const ObservedNamespace& have) {
  for (const auto& n : have.neighbours) neighbours_.emplace(n.device, n.address, n.mac);
  for (const auto& route : have.routes) {
    if (route.kind == RouteKind::unicast) routes_.emplace(route.destination, route.gateway);
  }
  for (const auto& entry : have.fdb) fdb_.emplace(entry.device, entry.mac, entry.remote);
}

bool KnownEntries::has(const NeighSpec& neighbour) const {
  return neighbours_.contains({neighbour.device, neighbour.address, neighbour.mac});
}

bool KnownEntries::has(const RouteSpec& route) const {
  return routes_.contains({route.destination, route.gateway});
}

bool KnownEntries::has(const FdbSpec& entry) const {
  return fdb_.contains({entry.device, entry.mac, entry.remote});
}

IfIndex vxlan_of(const ObservedNamespace& vtep, const TenantRecord& tenant) {
  for (const auto& link : vtep.links) {
    if (link.kind == "vxlan") return link.index;
  }
  return vxlan_index(tenant);
}

Place vxlan_place(const TenantRecord& tenant) {
  return tenant.direct ? Place::of_pool(*tenant.direct) : Place::vtep();
}

std::string vxlan_pin(const Layout& layout, const TenantRecord& tenant) {
  return tenant.direct ? layout.pool_pin(*tenant.direct) : layout.vtep_pin(tenant.tenant);
}

std::vector<Change> neighbour_changes(const PoolRecord& pool, const Neighbour& neighbour,
                                      Verb verb) {
  std::vector<Change> changes;
  for (const auto& block : pool.blocks) {
    const Family family = block.primary().family();
    const auto hop = next_hop(neighbour, family);
    if (!hop) continue;
    changes.push_back(
        {NeighSpec{.device = kGuestIndex, .address = *hop, .mac = neighbour.mac}, verb, {}});
    for (const auto& prefix : neighbour.prefixes) {
      if (prefix.family() != family) continue;
      RouteSpec route;
      route.destination = prefix;
      route.device = kGuestIndex;
      route.gateway = *hop;
      route.onlink = true;
      route.preferred_source = block.primary();
      changes.push_back({route, verb, {}});
    }
  }
  return changes;
}

Neighbour as_neighbour(const Peer& peer) {
  return {"peer " + peer.vtep.to_string(), peer.mac, peer.prefixes};
}

Neighbour as_neighbour(const PoolRecord& sibling) {
  return {"pool " + sibling.name, sibling.mac, sibling.owned()};
}

std::optional<IpAddress> next_hop(const Neighbour& neighbour, Family family) {
  for (const auto& prefix : neighbour.prefixes) {
    if (prefix.family() == family) return IpRange::hosts_of(prefix).first();
  }
  return std::nullopt;
}

bool are_connected(const PoolRecord& a, const PoolRecord& b) {
  return a.isolation != Isolation::job && b.isolation != Isolation::job;
}

void plan_neighbours(Plan& plan, const PoolRecord& pool, const ObservedNamespace& have,
                     const std::vector<Neighbour>& neighbours) {
  const KnownEntries known(have);
  for (const auto& neighbour : neighbours) plan_neighbour(plan, pool, known, neighbour);
}

void plan_neighbour(Plan& plan, const PoolRecord& pool, const KnownEntries& have,
                    const Neighbour& neighbour) {
  Configure add{Place::of_pool(pool.name), {}, false};
  for (auto& change : neighbour_changes(pool, neighbour, Verb::replace)) {
    if (!is_there(change, have)) add.changes.push_back(std::move(change));
  }
  if (add.changes.empty()) return;
  // Only what is added here: the rest was there before, and stays.
  Configure undo{Place::of_pool(pool.name), add.changes, true};
  for (auto& change : undo.changes) change.verb = Verb::remove;
  std::reverse(undo.changes.begin(), undo.changes.end());
  plan.steps.push_back(
      {.name = "pool.neighbour",
       .stage = Stage::s6_addresses,
       .what = "in pool " + pool.name + ": " + neighbour.name + " at " + neighbour.mac.to_string(),
       .action = std::move(add),
       .undo = {std::move(undo)}});
}

void plan_forget_neighbour(Plan& plan, const PoolRecord& pool, const Neighbour& neighbour) {
  Configure remove{Place::of_pool(pool.name), neighbour_changes(pool, neighbour, Verb::remove),
                   true};
  if (remove.changes.empty()) return;
  // Routes first: they point at the neighbour entry.
  std::reverse(remove.changes.begin(), remove.changes.end());
  plan.steps.push_back(
      {.name = "pool.neighbour.remove",
       .stage = Stage::teardown,
       .what = "in pool " + pool.name + ": forget " + neighbour.name,
       .action = std::move(remove),
       .undo = {Configure{Place::of_pool(pool.name),
                          neighbour_changes(pool, neighbour, Verb::replace), true}}});
}

void plan_fdb(Plan& plan, const TenantRecord& tenant, const std::vector<Peer>& peers,
              const ObservedNamespace& vtep) {
  const KnownEntries known(vtep);
  const IfIndex vxlan = vxlan_of(vtep, tenant);
  for (const auto& peer : peers) plan_fdb_entry(plan, tenant, peer, known, vxlan);
}

void plan_fdb_entry(Plan& plan, const TenantRecord& tenant, const Peer& peer,
                    const KnownEntries& vtep, IfIndex vxlan) {
  const FdbSpec entry{.device = vxlan, .mac = peer.mac, .remote = peer.vtep};
  if (vtep.has(entry)) return;
  const Place place = vxlan_place(tenant);
  plan.steps.push_back(
      {.name = "vtep.fdb",
       .stage = Stage::vtep,
       .what = "FDB entry " + peer.mac.to_string() + " at VTEP " + peer.vtep.to_string(),
       .action = Configure{place, {{entry, Verb::replace, {}}}, false},
       .undo = {Configure{place, {{entry, Verb::remove, {}}}, true}}});
}

void plan_forget_fdb(Plan& plan, const TenantRecord& tenant, const Peer& peer) {
  const Place place = vxlan_place(tenant);
  const FdbSpec entry{.device = vxlan_index(tenant), .mac = peer.mac, .remote = peer.vtep};
  plan.steps.push_back(
      {.name = "vtep.fdb.remove",
       .stage = Stage::teardown,
       .what = "forget FDB entry " + peer.mac.to_string() + " at VTEP " + peer.vtep.to_string(),
       .action = Configure{place, {{entry, Verb::remove, {}}}, true},
       .undo = {Configure{place, {{entry, Verb::replace, {}}}, true}}});
}

}  // namespace particle
