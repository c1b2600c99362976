// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "pool/gc.hpp"

namespace particle {
namespace {

/// The namespace that knows its node: the tenant's VTEP, or the pool that is one itself.
std::string telling_pin(const Layout& layout, const std::string& tenant) {
  for (const auto& path : {layout.tenant_record(tenant), layout.tenant_intent(tenant)}) {
    const auto text = read_file(path);
    if (!text || !*text) continue;
    const auto record = parse_tenant_record(**text, path);
    if (record) return vxlan_pin(layout, *record);
  }
  return layout.vtep_pin(tenant);
}

/// Whether the node that made this VTEP still has its network namespace.
Result<bool> node_lives(const std::string& vtep_pin) {
  auto netns = open_pinned_netns(vtep_pin);
  if (!netns) return fail(std::move(netns.error()));
  auto session = netns->open_session();
  if (!session) return fail(std::move(session.error()));
  const Message query = encode_netns_id_query(kNodeNetNsId);
  auto verdicts = session->transact({&query, 1});
  if (!verdicts) return fail(std::move(verdicts.error()));
  return verdicts->front().ok();
}

/// Unpins every namespace below a node's directory and removes the tree. Known names only: what is
/// not Particle's stays, and with it the directories around it.
void remove_tree(const Layout& layout) {
  for (const auto& pool : list_directory(layout.pools()).value_or(std::vector<std::string>{})) {
    for (const auto& entry :
         list_directory(layout.pool(pool)).value_or(std::vector<std::string>{})) {
      if (entry == "netns" || entry.starts_with("endpoint-"))
        (void)unpin_netns(layout.pool(pool) + "/" + entry);
    }
    (void)remove_flat_directory(layout.pool(pool));
  }
  for (const auto& tenant : list_directory(layout.tenants()).value_or(std::vector<std::string>{})) {
    (void)unpin_netns(layout.vtep_pin(tenant));
    (void)remove_flat_directory(layout.tenant_pools(tenant));
    (void)remove_flat_directory(layout.tenant(tenant));
  }
  for (const auto& directory :
       {layout.pools(), layout.tenants(), layout.vnis(), layout.ports(), layout.root()}) {
    (void)remove_flat_directory(directory);
  }
}

/// Why the node of this directory is gone for good; empty when it is not, or nobody can tell.
std::string reason_gone(const NodeState& node, const std::string& entry) {
  const auto boot = [](const std::string& id) { return id.substr(0, id.find('-')); };
  if (boot(entry.substr(5)) != boot(node.id)) return "it is of an earlier boot";
  const Layout layout(node.run_dir + "/" + entry);
  std::string reason;
  for (const auto& tenant : list_directory(layout.tenants()).value_or(std::vector<std::string>{})) {
    auto lives = node_lives(telling_pin(layout, tenant));
    if (lives && *lives) return {};
    if (lives) reason = "its network namespace is gone";
  }
  return reason;
}

}  // namespace

void collect_other_nodes(const NodeState& node, const GcOptions& options,
                         std::vector<GcFinding>& findings) {
  auto entries = list_directory(node.run_dir);
  if (!entries) {
    findings.push_back({GcAction::kept, node.run_dir, entries.error().message()});
    return;
  }
  for (const auto& entry : *entries) {
    if (!entry.starts_with("node-") || entry == "node-" + node.id) continue;
    const std::string reason = reason_gone(node, entry);
    if (reason.empty()) continue;
    const std::string path = node.run_dir + "/" + entry;
    auto lock = DirLock::try_acquire(path, DirLock::Mode::exclusive);
    if (!lock || !*lock) {
      findings.push_back(
          {GcAction::kept, "node " + entry.substr(5), reason + ", but a command is at work in it"});
      continue;
    }
    if (!options.dry_run) remove_tree(Layout(path));
    const bool left = !options.dry_run && file_exists(path);
    findings.push_back({left ? GcAction::kept : GcAction::removed, "node " + entry.substr(5),
                        reason + (left ? ", but " + path + " could not be removed whole" : "")});
  }
}

}  // namespace particle
