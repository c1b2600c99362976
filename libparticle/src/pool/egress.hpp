// SPDX-License-Identifier: Apache-2.0
/// Egress and published ports: a tenant's way out of its overlay, and in. Pure.
///
///     pool's eth0 --default route--> br<vni> (gateway) [VTEP namespace] up0 ==== pup<vni> [node] --> outside
///
/// One uplink per tenant, as long as one of its pools needs it. The VTEP's rules let out only what comes
/// from a pool with egress, under the uplink's address (masquerade) or its own (routed), and let in only
/// what answers or was published. The uplink's address is made of the VNI, so that tenants with the same
/// subnets stay apart in the node's connection tracking; the node's rules keep each tenant from the node
/// itself and from the other tenants.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pool/layout.hpp"
#include "pool/observe.hpp"
#include "pool/planner.hpp"
#include "pool/record.hpp"

namespace particle {

/// Every tenant's table on the node is called this and its VNI; the one in a VTEP is called kVtepTable.
inline constexpr const char* kNodeTablePrefix = "particle-";
inline constexpr const char* kVtepTable = "particle";

/// 240.0.0.0/8 (reserved, on no wire) or fd70:6172:7469:636c::/96, and the VNI.
IpAddress uplink_address(Vni vni, Family family);

/// What is between the braces of each table. They begin with a comment that changes with the rest.
/// `pools`: those of the tenant that have a gateway; without any the rules are empty.
std::string vtep_rules(const TenantRecord& tenant, const std::vector<PoolRecord>& pools);
std::string node_rules(const TenantRecord& tenant, const std::vector<PoolRecord>& pools);
/// The comment of such rules; empty for empty ones.
std::string comment_of(const std::string& rules);

/// What the kernel has of a tenant's gateway.
struct ObservedGateway {
  ObservedNamespace node;
  ObservedNamespace vtep;
  std::string node_comment;  ///< of the tables; empty: there is none
  std::string vtep_comment;
};

struct GatewayChange {
  std::vector<PoolRecord> before;  ///< what an undo goes back to
  std::vector<PoolRecord> after;   ///< both: with a gateway only
};
/// The uplink, the rules, and the routes of `pool`, which has a gateway, as far as they are not there.
void plan_gateway(Plan& plan, const TenantRecord& tenant, const PoolRecord& pool,
                  const ObservedNamespace& have, const ObservedGateway& gateway,
                  const GatewayChange& change);
/// Takes off what is there for `pool` alone; with the last one the uplink. `whole`: the VTEP goes, too.
void plan_gateway_removal(Plan& plan, const TenantRecord& tenant, const PoolRecord& pool,
                          const std::vector<PoolRecord>& rest, bool whole);

/// Reserves the pool's published ports on this node.
void plan_ports(Plan& plan, const Layout& layout, const PoolRecord& pool);
void plan_ports_removal(Plan& plan, const Layout& layout, const PoolRecord& pool);
/// "tcp-8080", as it is reserved.
std::string port_name(const PublishedPort& port);

/// Errors: conflict when a route of the node, or of another tenant, is where a routed pool would be.
Result<void> check_routed(const TenantRecord& tenant, const PoolRecord& pool,
                          const ObservedNamespace& node);

}  // namespace particle
