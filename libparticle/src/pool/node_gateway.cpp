// SPDX-License-Identifier: Apache-2.0
// Egress and published ports, on the node as it is.
#include <algorithm>
#include <iterator>

#include "pool/egress.hpp"
#include "pool/nftables.hpp"
#include "pool/node_state.hpp"

namespace particle {
namespace {

Result<std::string> table_comment(const NetNs& netns, const std::string& table) {
  std::string comment;
  auto done = netns.run([&]() -> Result<void> {
    auto found = observe_table_here(table);
    if (!found) return fail(std::move(found.error()));
    comment = found->value_or("");
    return {};
  });
  if (!done) return fail(std::move(done.error()));
  return comment;
}

Result<ObservedGateway> observe_gateway(const NodeState& node, const TenantRecord& tenant) {
  ObservedGateway out;
  auto here = observe(node.netns);
  if (!here) return fail(std::move(here.error()));
  out.node = *std::move(here);
  auto comment = table_comment(node.netns, kNodeTablePrefix + std::to_string(tenant.vni.value()));
  if (!comment) return fail(std::move(comment.error()));
  out.node_comment = *std::move(comment);
  auto vtep = open_pinned_netns(node.layout.vtep_pin(tenant.tenant));
  if (!vtep) {
    if (vtep.error().kind() == Errc::not_found) return out;  // it is about to be made
    return fail(std::move(vtep.error()));
  }
  auto there = observe(*vtep);
  if (!there) return fail(std::move(there.error()));
  out.vtep = *std::move(there);
  comment = table_comment(*vtep, kVtepTable);
  if (!comment) return fail(std::move(comment.error()));
  out.vtep_comment = *std::move(comment);
  return out;
}

/// Making it a router is the administrator's to decide: it then forwards for everyone.
Result<void> check_forwarding(const NetNs& node, const PoolRecord& pool) {
  return node.run([&]() -> Result<void> {
    for (const auto& [family, name] : {std::pair{Family::v4, "net/ipv4/ip_forward"},
                                       std::pair{Family::v6, "net/ipv6/conf/all/forwarding"}}) {
      if (pool.block(family) == nullptr) continue;
      auto value = read_file(std::string("/proc/sys/") + name);
      if (!value) return fail(std::move(value.error()));
      if (*value && (*value)->starts_with("1")) continue;
      std::string dotted(name);
      std::replace(dotted.begin(), dotted.end(), '/', '.');
      return fail(Error::of(Errc::invalid_argument,
                            "egress and published ports: this node does not forward packets",
                            "sysctl -w " + dotted + "=1"));
    }
    return {};
  });
}

}  // namespace

Result<void> NodeState::append_gateway(Plan& plan, const PoolRecord& pool,
                                       const StoredTenant& tenant, const TenantRecord& record,
                                       const ObservedNamespace& have) const {
  if (!pool.has_gateway()) return {};
  auto gateway = observe_gateway(*this, record);
  if (!gateway) return fail(std::move(gateway.error()));
  GatewayChange change;
  std::copy_if(tenant.pools.begin(), tenant.pools.end(), std::back_inserter(change.before),
               [](const PoolRecord& one) { return one.has_gateway(); });
  change.after = change.before;
  std::erase_if(change.after, [&](const PoolRecord& one) { return one.name == pool.name; });
  change.after.push_back(pool);
  std::sort(change.after.begin(), change.after.end(),
            [](const PoolRecord& a, const PoolRecord& b) { return a.name < b.name; });
  plan_gateway(plan, record, pool, have, *gateway, change);
  return {};
}

Result<void> NodeState::check_gateway(const PoolRecord& pool, const TenantRecord& record) const {
  if (!pool.has_gateway()) return {};
  for (const auto& port : pool.published) {
    const auto holder = read_symlink(layout.port(port_name(port)));
    if (!holder || *holder == "../pools/" + pool.name) continue;
    return fail(Error::of(
        Errc::conflict,
        "port " + std::to_string(port.node_port) + "/" + std::string(to_string(port.protocol)) +
            " of this node is published by pool " + holder->substr(holder->find_last_of('/') + 1),
        "choose another port, or delete that pool"));
  }
  if (auto ok = check_forwarding(netns, pool); !ok) return ok;
  if (pool.egress != Egress::routed) return {};
  auto here = observe(netns);
  if (!here) return fail(std::move(here.error()));
  return check_routed(record, pool, *here);
}

void NodeState::forget_gateway(Vni vni) const {
  TenantRecord tenant{};
  tenant.vni = vni;
  auto here = observe_links(netns);
  if (!here || here->link(tenant.uplink()) == nullptr) return;
  Plan plan;
  plan_gateway_removal(plan, tenant, {}, {}, true);
  Places own = places({});
  (void)apply(plan, own, {});
}

}  // namespace particle
