// SPDX-License-Identifier: Apache-2.0
// From one set of peers to another. Entries are compared by what the kernel knows them by (a
// neighbour's address, a route's destination, an FDB entry's MAC) and by what they lead to: one whose
// goal changes is replaced in place, so that no packet finds it missing.
#include <algorithm>
#include <map>
#include <ranges>
#include <utility>

#include "pool/planner.hpp"

namespace particle {
namespace {

/// What the kernel knows an entry by, and where it leads.
using Entries = std::map<std::string, std::pair<std::string, Change>>;

std::pair<std::string, std::string> name_of(const Change& change) {
  if (const auto* neigh = std::get_if<NeighSpec>(&change.object))
    return {"neighbour " + neigh->address.to_string(), neigh->mac.to_string()};
  if (const auto* fdb = std::get_if<FdbSpec>(&change.object))
    return {fdb->mac.to_string(), fdb->remote ? fdb->remote->to_string() : ""};
  const auto& route = std::get<RouteSpec>(change.object);
  return {"route " + route.destination.to_string(),
          route.gateway ? route.gateway->to_string() : ""};
}

void put(Entries& entries, Change change) {
  auto [name, goal] = name_of(change);
  entries.insert_or_assign(std::move(name), std::pair{std::move(goal), std::move(change)});
}

Entries neighbour_entries(const PoolRecord& pool, const std::vector<Neighbour>& neighbours) {
  Entries entries;
  for (const auto& neighbour : neighbours) {
    for (auto& change : neighbour_changes(pool, neighbour, Verb::replace))
      put(entries, std::move(change));
  }
  return entries;
}

Entries fdb_entries(IfIndex vxlan, const std::vector<Peer>& peers) {
  Entries entries;
  for (const auto& peer : peers) {
    put(entries,
        {FdbSpec{.device = vxlan, .mac = peer.mac, .remote = peer.vtep}, Verb::replace, {}});
  }
  return entries;
}

Entries observed_neighbours(const ObservedNamespace& have) {
  Entries entries;
  for (const auto& neighbour : have.neighbours) {
    if (neighbour.device == kGuestIndex) put(entries, {neighbour, Verb::replace, {}});
  }
  for (const auto& route : have.routes) {
    if (route.kind == RouteKind::unicast && route.gateway) put(entries, {route, Verb::replace, {}});
  }
  return entries;
}

Entries observed_fdb(const ObservedNamespace& vtep, IfIndex vxlan) {
  Entries entries;
  for (const auto& entry : vtep.fdb) {
    if (entry.device == vxlan && entry.remote) put(entries, {entry, Verb::replace, {}});
  }
  return entries;
}

bool leads_to_the_same(const Entries& entries, const std::string& name, const std::string& goal) {
  const auto found = entries.find(name);
  return found != entries.end() && found->second.first == goal;
}

/// Routes after the neighbours they point at when added, before them when removed: "neighbour" sorts
/// before "route".
struct Sets {
  Configure remove;
  Configure restore;  ///< undoes remove
  Configure add;
  Configure take_back;  ///< undoes add
};

Sets difference(const Place& place, const Entries& before, const Entries& after,
                const Entries& have) {
  Sets sets{{place, {}, true}, {place, {}, true}, {place, {}, false}, {place, {}, true}};
  for (const auto& [name, entry] : std::ranges::reverse_view(before)) {
    if (after.contains(name)) continue;  // replaced in place, or unchanged
    Change gone = entry.second;
    sets.restore.changes.push_back(gone);
    gone.verb = Verb::remove;
    sets.remove.changes.push_back(std::move(gone));
  }
  for (const auto& [name, entry] : after) {
    if (leads_to_the_same(have, name, entry.first)) continue;
    sets.add.changes.push_back(entry.second);
    const auto old = before.find(name);
    Change back = old != before.end() ? old->second.second : entry.second;
    if (old == before.end()) back.verb = Verb::remove;
    sets.take_back.changes.push_back(std::move(back));
  }
  std::reverse(sets.restore.changes.begin(), sets.restore.changes.end());
  std::reverse(sets.take_back.changes.begin(), sets.take_back.changes.end());
  return sets;
}

std::string count_of(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " entry" : " entries");
}

void append(Plan& removals, Plan& additions, Sets sets, const std::string& prefix, Stage stage,
            const std::string& where) {
  if (!sets.remove.changes.empty()) {
    removals.steps.push_back({.name = prefix + ".remove",
                              .stage = Stage::teardown,
                              .what = where + ": forget " + count_of(sets.remove.changes.size()),
                              .action = std::move(sets.remove),
                              .undo = {std::move(sets.restore)}});
  }
  if (!sets.add.changes.empty()) {
    additions.steps.push_back({.name = prefix,
                               .stage = stage,
                               .what = where + ": " + count_of(sets.add.changes.size()),
                               .action = std::move(sets.add),
                               .undo = {std::move(sets.take_back)}});
  }
}

}  // namespace

void plan_neighbour_set(Plan& removals, Plan& additions, const PoolRecord& pool,
                        const ObservedNamespace& have, const PeerSetChange& change) {
  append(removals, additions,
         difference(Place::of_pool(pool.name), neighbour_entries(pool, change.neighbours_before),
                    neighbour_entries(pool, change.neighbours_after), observed_neighbours(have)),
         "pool.neighbours", Stage::s6_addresses, "neighbours and routes in pool " + pool.name);
}

void plan_fdb_set(Plan& removals, Plan& additions, const TenantRecord& tenant,
                  const ObservedNamespace& vtep, const PeerSetChange& change) {
  const IfIndex vxlan = vxlan_of(vtep, tenant);
  append(removals, additions,
         difference(vxlan_place(tenant), fdb_entries(vxlan, change.before),
                    fdb_entries(vxlan, change.after), observed_fdb(vtep, vxlan)),
         "vtep.fdb", Stage::vtep, "FDB of the VTEP");
}

}  // namespace particle
