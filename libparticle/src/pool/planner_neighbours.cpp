// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "pool/planner.hpp"

namespace particle {
namespace {

bool is_there(const Change& change, const ObservedNamespace& have) {
  if (const auto* neigh = std::get_if<NeighSpec>(&change.object)) {
    return std::any_of(have.neighbours.begin(), have.neighbours.end(), [&](const NeighSpec& n) {
      return n.device == neigh->device && n.address == neigh->address && n.mac == neigh->mac;
    });
  }
  const auto& route = std::get<RouteSpec>(change.object);
  const RouteSpec* found = have.route(route.destination, RouteKind::unicast);
  return found != nullptr && found->gateway == route.gateway;
}

bool is_entered(const Peer& peer, const ObservedNamespace& vtep, IfIndex vxlan) {
  return std::any_of(vtep.fdb.begin(), vtep.fdb.end(), [&](const FdbSpec& entry) {
    return entry.device == vxlan && entry.mac == peer.mac && entry.remote == peer.vtep;
  });
}

}  // namespace

IfIndex vxlan_of(const ObservedNamespace& vtep) {
  for (const auto& link : vtep.links) {
    if (link.kind == "vxlan") return link.index;
  }
  return kVxlanIndex;
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
  for (const auto& neighbour : neighbours) {
    Configure add{Place::of_pool(pool.name), {}, false};
    for (auto& change : neighbour_changes(pool, neighbour, Verb::replace)) {
      if (!is_there(change, have)) add.changes.push_back(std::move(change));
    }
    if (add.changes.empty()) continue;
    // Only what is added here: the rest was there before, and stays.
    Configure undo{Place::of_pool(pool.name), add.changes, true};
    for (auto& change : undo.changes) change.verb = Verb::remove;
    std::reverse(undo.changes.begin(), undo.changes.end());
    plan.steps.push_back({.name = "pool.neighbour",
                          .stage = Stage::s6_addresses,
                          .what = "in pool " + pool.name + ": " + neighbour.name + " at " +
                                  neighbour.mac.to_string(),
                          .action = std::move(add),
                          .undo = {std::move(undo)}});
  }
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

void plan_fdb(Plan& plan, const std::vector<Peer>& peers, const ObservedNamespace& vtep) {
  const IfIndex vxlan = vxlan_of(vtep);
  for (const auto& peer : peers) {
    if (is_entered(peer, vtep, vxlan)) continue;
    const FdbSpec entry{.device = vxlan, .mac = peer.mac, .remote = peer.vtep};
    plan.steps.push_back(
        {.name = "vtep.fdb",
         .stage = Stage::vtep,
         .what = "FDB entry " + peer.mac.to_string() + " at VTEP " + peer.vtep.to_string(),
         .action = Configure{Place::vtep(), {{entry, Verb::replace, {}}}, false},
         .undo = {Configure{Place::vtep(), {{entry, Verb::remove, {}}}, true}}});
  }
}

void plan_forget_fdb(Plan& plan, const Peer& peer) {
  const FdbSpec entry{.device = kVxlanIndex, .mac = peer.mac, .remote = peer.vtep};
  plan.steps.push_back(
      {.name = "vtep.fdb.remove",
       .stage = Stage::teardown,
       .what = "forget FDB entry " + peer.mac.to_string() + " at VTEP " + peer.vtep.to_string(),
       .action = Configure{Place::vtep(), {{entry, Verb::remove, {}}}, true},
       .undo = {Configure{Place::vtep(), {{entry, Verb::replace, {}}}, true}}});
}

}  // namespace particle
