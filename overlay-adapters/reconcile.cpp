// SPDX-License-Identifier: Apache-2.0
#include "reconcile.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace particle::overlay {
namespace {

/// Addresses that somebody has, and who. Prefixes that are disjoint, so that a prefix overlaps one
/// of them exactly when it overlaps a neighbour in their order.
class Claims {
 public:
  /// Who has addresses of `prefix`, and which.
  [[nodiscard]] std::optional<std::string> taken(const IpPrefix& prefix) const {
    auto next = by_network_.lower_bound(prefix.network());
    if (next != by_network_.end() && next->second.prefix.overlaps(prefix)) return say(next->second);
    if (next == by_network_.begin()) return std::nullopt;
    --next;
    if (next->second.prefix.overlaps(prefix)) return say(next->second);
    return std::nullopt;
  }
  void claim(const IpPrefix& prefix, const std::string& who) {
    by_network_.insert_or_assign(prefix.network(), Claim{prefix, who});
  }
  void claim_all(const std::vector<IpPrefix>& prefixes, const std::string& who) {
    for (const auto& prefix : prefixes) claim(prefix, who);
  }

 private:
  struct Claim {
    IpPrefix prefix;
    std::string who;
  };
  static std::string say(const Claim& claim) {
    return claim.prefix.to_string() + " of " + claim.who;
  }
  std::map<IpAddress, Claim> by_network_;
};

/// One tenant of this node: what is there that an announcement could contradict.
struct Tenant {
  Vni vni;
  Mtu mtu;  ///< the smallest of its pools'
  std::string mtu_pool;
  IpAddress vtep;
  Claims claims;
  std::map<Mac, std::string> macs;
  std::vector<PeerInfo> mine;  ///< the owner's, as recorded
  std::vector<Peer> wanted;
};

std::map<std::string, Tenant> local_tenants(const std::vector<PoolInfo>& pools) {
  std::map<std::string, Tenant> tenants;
  for (const PoolInfo& pool : pools) {
    if (pool.tenant.empty() || pool.vxlan.empty()) continue;  // its record cannot be read
    Tenant& tenant = tenants[pool.tenant];
    tenant.vni = pool.vni;
    tenant.vtep = pool.vtep;
    if (tenant.mtu_pool.empty() || pool.mtu < tenant.mtu) {
      tenant.mtu = pool.mtu;
      tenant.mtu_pool = pool.name;
    }
    tenant.claims.claim_all(pool.routes, "pool " + pool.name + " on this node");
    tenant.macs.emplace(pool.mac, "pool " + pool.name + " on this node");
  }
  return tenants;
}

void take_peers(std::map<std::string, Tenant>& tenants, const std::vector<PeerInfo>& peers,
                std::string_view owner) {
  for (const PeerInfo& info : peers) {
    const auto tenant = tenants.find(info.peer.tenant);
    if (tenant == tenants.end()) continue;
    if (info.peer.owner == owner) {
      tenant->second.mine.push_back(info);
      continue;
    }
    const std::string who =
        "peer " + info.peer.vtep.to_string() +
        (info.peer.owner.empty() ? ", added by hand" : ", kept by " + info.peer.owner);
    tenant->second.claims.claim_all(info.peer.prefixes, who);
    tenant->second.macs.emplace(info.peer.mac, who);
  }
}

/// Why the announcement contradicts what is there; nothing when it does not.
std::optional<std::string> contradiction(const Announcement& announcement, const Tenant& tenant) {
  const Peer& peer = announcement.peer;
  if (const auto errors = check(announcement); !errors.empty()) return errors.front().operation;
  if (announcement.vni != tenant.vni) {
    return "its VNI is " + std::to_string(announcement.vni.value()) + ", the tenant's here is " +
           std::to_string(tenant.vni.value());
  }
  if (peer.vtep == tenant.vtep) return "its VTEP address is this node's own";
  if (peer.vtep.family() != tenant.vtep.family())
    return "its VTEP address is of another family than this node's, " + tenant.vtep.to_string();
  if (const auto other = tenant.macs.find(peer.mac); other != tenant.macs.end())
    return "its MAC " + peer.mac.to_string() + " is that of " + other->second;
  Claims own;
  for (const IpPrefix& prefix : peer.prefixes) {
    if (const auto who = tenant.claims.taken(prefix))
      return prefix.to_string() + " overlaps " + *who;
    if (const auto twice = own.taken(prefix)) return prefix.to_string() + " overlaps " + *twice;
    own.claim(prefix, "the same pool");
  }
  return std::nullopt;
}

void accept(const Announcement& announcement, Tenant& tenant, std::string_view owner) {
  Peer peer = announcement.peer;
  peer.owner = owner;
  const std::string who = describe(announcement);
  tenant.claims.claim_all(peer.prefixes, who);
  tenant.macs.emplace(peer.mac, who);
  tenant.wanted.push_back(std::move(peer));
}

/// While the list is not all there is, what is entered stays where nothing new takes its place.
void keep_unlisted(Tenant& tenant) {
  for (const PeerInfo& info : tenant.mine) {
    const Peer& peer = info.peer;
    const bool replaced =
        tenant.macs.contains(peer.mac) ||
        std::any_of(peer.prefixes.begin(), peer.prefixes.end(),
                    [&](const IpPrefix& p) { return tenant.claims.taken(p).has_value(); });
    if (replaced) continue;
    tenant.claims.claim_all(peer.prefixes, "peer " + peer.vtep.to_string());
    tenant.macs.emplace(peer.mac, "peer " + peer.vtep.to_string());
    tenant.wanted.push_back(peer);
  }
}

/// What distinguishes two peers, in an order.
auto key_of(const Peer& peer) {
  return std::tie(peer.mac, peer.vtep, peer.prefixes);
}
struct ByKey {
  bool operator()(const Peer& a, const Peer& b) const { return key_of(a) < key_of(b); }
};

TenantDifference difference_of(const std::string& name, Tenant& tenant) {
  TenantDifference out;
  out.tenant = name;
  const std::set<Peer, ByKey> wanted(tenant.wanted.begin(), tenant.wanted.end());
  std::set<Peer, ByKey> have;
  for (const PeerInfo& info : tenant.mine) {
    have.insert(info.peer);
    if (!wanted.contains(info.peer)) {
      out.removed.push_back(info.peer);
    } else if (!info.programmed) {
      out.damaged.push_back(info.peer);
    }
  }
  std::copy_if(tenant.wanted.begin(), tenant.wanted.end(), std::back_inserter(out.added),
               [&](const Peer& peer) { return !have.contains(peer); });
  out.wanted = std::move(tenant.wanted);
  return out;
}

}  // namespace

Difference compare(const PeerView& view, const std::vector<PoolInfo>& pools,
                   const std::vector<PeerInfo>& peers, std::string_view owner) {
  std::map<std::string, Tenant> tenants = local_tenants(pools);
  take_peers(tenants, peers, owner);
  Difference out;
  for (const Announcement& announcement : view.announcements) {
    const auto tenant = tenants.find(announcement.peer.tenant);
    if (tenant == tenants.end()) continue;
    if (auto why = contradiction(announcement, tenant->second)) {
      out.refused.push_back({announcement, *std::move(why)});
      continue;
    }
    if (announcement.mtu && *announcement.mtu != tenant->second.mtu) {
      out.warnings.push_back(
          describe(announcement) + " has MTU " + std::to_string(announcement.mtu->value()) +
          ", pool " + tenant->second.mtu_pool + " here " +
          std::to_string(tenant->second.mtu.value()) + ": give both the smaller one with --mtu");
    }
    accept(announcement, tenant->second, owner);
  }
  for (auto& [name, tenant] : tenants) {
    if (!view.complete) keep_unlisted(tenant);
    out.peers.emplace(name, tenant.wanted.size());
    TenantDifference difference = difference_of(name, tenant);
    if (!difference.empty()) out.tenants.push_back(std::move(difference));
  }
  return out;
}

Result<Reconciled> reconcile(const Node& node, const PeerView& view, const std::string& owner,
                             const ApplyOptions& options) {
  auto pools = node.list_pools();
  if (!pools) return fail(std::move(pools.error()));
  auto peers = node.list_peers();
  if (!peers) return fail(std::move(peers.error()));
  Reconciled done{compare(view, *pools, *peers, owner), {}};
  for (const TenantDifference& tenant : done.difference.tenants) {
    auto outcome = node.replace_peers(tenant.tenant, owner, tenant.wanted, options);
    if (!outcome) done.errors.push_back(std::move(outcome.error()));
  }
  return done;
}

}  // namespace particle::overlay
