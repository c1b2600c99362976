// SPDX-License-Identifier: Apache-2.0
/// The planner: what is wanted and what is observed in, named steps with their undo out. Pure.
///
/// Each function appends the steps that are missing for its part; on a complete part it appends
/// nothing. So create, repair and the completion of a half-made pool are one code path.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <particle/peer.hpp>
#include <particle/plan.hpp>

#include "pool/layout.hpp"
#include "pool/observe.hpp"
#include "pool/record.hpp"

namespace particle {

/// A pool of the same tenant on this node, or a peer: who is reached through which MAC.
struct Neighbour {
  std::string name;  ///< for messages: "peer 192.0.2.2" or "pool b"
  Mac mac;
  std::vector<IpPrefix> prefixes;
};
Neighbour as_neighbour(const Peer& peer);
Neighbour as_neighbour(const PoolRecord& sibling);
/// The address under which a neighbour's MAC is entered: the first host address of its first prefix
/// of the family, which is its pool's primary address when the pool owns that prefix.
std::optional<IpAddress> next_hop(const Neighbour& neighbour, Family family);
/// The entries that make `neighbour` reachable from `pool`: NeighSpec and RouteSpec only.
std::vector<Change> neighbour_changes(const PoolRecord& pool, const Neighbour& neighbour,
                                      Verb verb);
/// The namespace that has the tenant's vxlan device: the VTEP's, or with attachment direct the pool's.
Place vxlan_place(const TenantRecord& tenant);
std::string vxlan_pin(const Layout& layout, const TenantRecord& tenant);
/// The tenant's vxlan device in that namespace.
IfIndex vxlan_of(const ObservedNamespace& vtep, const TenantRecord& tenant);
/// What a namespace has of neighbours, routes and FDB entries, to look up thousands of them.
class KnownEntries {
 public:
  explicit KnownEntries(const ObservedNamespace& have);
  [[nodiscard]] bool has(const NeighSpec& neighbour) const;
  [[nodiscard]] bool has(const RouteSpec& route) const;  ///< by destination and gateway
  [[nodiscard]] bool has(const FdbSpec& entry) const;

 private:
  std::set<std::tuple<IfIndex, IpAddress, Mac>> neighbours_;
  std::set<std::pair<IpPrefix, std::optional<IpAddress>>> routes_;
  std::set<std::tuple<IfIndex, Mac, std::optional<IpAddress>>> fdb_;
};
/// Siblings reach each other only when both are of isolation tenant or container.
bool are_connected(const PoolRecord& a, const PoolRecord& b);

std::vector<Sysctl> vtep_sysctls();
std::vector<Sysctl> pool_sysctls(const PoolRecord& record);

/// The VTEP: namespace, bridge, vxlan; with attachment direct its record alone. `recorded`: tenant.json
/// is there already.
void plan_vtep(Plan& plan, const Layout& layout, const TenantRecord& tenant,
               const ObservedNamespace& have, bool recorded);
/// Both ends of the pool's veth are there, or with attachment direct its vxlan device. When a VTEP
/// namespace has just gone, the kernel takes a moment to take the pool's end away as well.
bool has_whole_device(const PoolRecord& pool, const ObservedNamespace& have,
                      const ObservedNamespace& vtep);
/// Namespace, veth, its attachment to the bridge (or, direct, a vxlan device alone), lo and eth0 up. In this order: a device that is
/// raised last finds its carrier at once, and each namespace's steps are neighbours, which makes them
/// one batch. Returns whether plan_ready is to follow.
bool plan_devices(Plan& plan, const Layout& layout, const TenantRecord& tenant,
                  const PoolRecord& want, const ObservedNamespace& have,
                  const ObservedNamespace& vtep);
/// Waits for the bridge's port. After everything else in the pool's namespace, for the same reason.
void plan_ready(Plan& plan, const PoolRecord& want);
/// Addresses and routes of the pool itself. `was`: records whose entries are to go where `want` does
/// not have them.
void plan_addresses(Plan& plan, const PoolRecord& want, const ObservedNamespace& have,
                    const std::vector<PoolRecord>& was = {});
/// Neighbour entries and routes in the namespace of `pool`, for everyone in `neighbours`.
void plan_neighbours(Plan& plan, const PoolRecord& pool, const ObservedNamespace& have,
                     const std::vector<Neighbour>& neighbours);
void plan_neighbour(Plan& plan, const PoolRecord& pool, const KnownEntries& have,
                    const Neighbour& neighbour);
void plan_forget_neighbour(Plan& plan, const PoolRecord& pool, const Neighbour& neighbour);
/// The FDB entries of the tenant's vxlan device. `vtep`: the namespace that has it.
void plan_fdb(Plan& plan, const TenantRecord& tenant, const std::vector<Peer>& peers,
              const ObservedNamespace& vtep);
/// `vxlan`: as of vxlan_of.
void plan_fdb_entry(Plan& plan, const TenantRecord& tenant, const Peer& peer,
                    const KnownEntries& vtep, IfIndex vxlan);
void plan_forget_fdb(Plan& plan, const TenantRecord& tenant, const Peer& peer);

/// From one set of peers to another, entry by entry: what both sets have stays untouched.
struct PeerSetChange {
  std::vector<Peer> before;
  std::vector<Peer> after;
  std::vector<Neighbour> neighbours_before;  ///< the same as neighbours
  std::vector<Neighbour> neighbours_after;
};
void plan_neighbour_set(Plan& removals, Plan& additions, const PoolRecord& pool,
                        const ObservedNamespace& have, const PeerSetChange& change);
void plan_fdb_set(Plan& removals, Plan& additions, const TenantRecord& tenant,
                  const ObservedNamespace& vtep, const PeerSetChange& change);

/// `acme-k3f9x` and its index: unique per incarnation, so that a pool can be made again while the
/// kernel is still taking its predecessor's veth down.
struct PortIdentity {
  std::string name;
  IfIndex index;
};
/// One endpoint's own namespace (isolation container). What is not whole is made anew in it.
void plan_endpoint(Plan& plan, const Layout& layout, const PoolRecord& pool, std::uint64_t index,
                   const PortIdentity& port, const ObservedNamespace& have);
/// Of an endpoint's own device (isolation container).
Mac endpoint_mac(const PoolRecord& pool, std::uint64_t index);
/// Whether the endpoint's namespace has all that plan_endpoint gives it.
bool is_whole_endpoint(const PoolRecord& pool, std::uint64_t index, const ObservedNamespace& have);

struct Removal {
  PoolRecord pool;
  bool record_is_ready = false;  ///< pool.json is there, to be renamed to removing.json
  bool last_of_tenant = false;
  bool owns_vni = false;      ///< the VNI is reserved for this tenant, not for a faster one
  bool leases_exist = false;  ///< leases.db exists
  TenantRecord tenant;        ///< for a pool with a gateway: at least its VNI
  std::vector<PoolRecord> siblings;
  std::vector<std::uint64_t> endpoints;  ///< pinned endpoint namespaces
};
void plan_removal(Plan& plan, const Layout& layout, const Removal& removal);

PortIdentity make_port_identity(const std::string& pool, std::uint64_t random);
std::string link_alias(const PoolRecord& pool);

}  // namespace particle
