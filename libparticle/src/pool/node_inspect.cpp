// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <optional>
#include <thread>

#include "files/files.hpp"
#include "pool/node_state.hpp"

namespace particle {

PoolInfo NodeState::describe(const PoolRecord& pool,
                             const std::optional<TenantRecord>& tenant) const {
  PoolInfo info;
  info.name = pool.name;
  info.id = pool.id;
  info.tenant = pool.tenant;
  info.vni = pool.vni;
  info.mode = pool.mode;
  info.mode_reason = pool.mode_reason;
  info.isolation = pool.isolation;
  info.attachment = pool.attachment;
  info.egress = pool.egress;
  info.published = pool.published;
  for (const auto& block : pool.blocks) {
    info.blocks.push_back(block.asked);
    (block.primary().is_v4() ? info.primary_v4 : info.primary_v6) = block.primary();
  }
  info.routes = pool.owned();
  info.capacity = pool.capacity;
  info.mac = pool.mac;
  info.mtu = pool.mtu;
  info.device = kGuestDevice;
  info.netns_path = layout.pool_pin(pool.name);
  const bool direct = pool.attachment == Attachment::direct;
  info.vtep_path = direct ? info.netns_path : layout.vtep_pin(pool.tenant);
  info.port = pool.port;
  info.cooldown = pool.cooldown;
  if (tenant) {
    if (!direct) info.bridge = tenant->bridge();
    info.vxlan = direct ? kGuestDevice : tenant->vxlan();
    info.vtep = tenant->vtep;
    info.underlay_device = tenant->underlay_device;
  }
  return info;
}

void NodeState::add_usage(PoolInfo& info) const {
  auto store = LeaseStore::open_existing(layout.leases());
  if (!store) {
    info.problems.push_back("leases: " + store.error().message());
    return;
  }
  if (!*store) return;
  auto usage = (*store)->usage(info.name);
  if (!usage) {
    info.problems.push_back("leases: " + usage.error().message());
    return;
  }
  info.leased = usage->leased;
  info.cooling = usage->cooling;
}

Result<std::vector<PoolInfo>> Node::list_pools() const {
  auto names = list_directory(state_->layout.pools());
  if (!names) return fail(std::move(names.error()));
  std::vector<PoolInfo> pools;
  for (const auto& name : *names) {
    if (name.starts_with(kTemporaryPrefix)) continue;
    auto stored = state_->load_pool(name);
    if (!stored || !stored->record) {
      PoolInfo broken;
      broken.name = name;
      broken.health = PoolHealth::partial;
      broken.problems.push_back(stored ? "it has no record" : stored.error().message());
      pools.push_back(std::move(broken));
      continue;
    }
    auto tenant = state_->load_tenant_record(stored->record->tenant);
    PoolInfo info = state_->describe(*stored->record, tenant ? tenant->record : std::nullopt);
    if (stored->phase != PoolPhase::ready || stored->resizing) info.health = PoolHealth::partial;
    state_->add_usage(info);
    pools.push_back(std::move(info));
  }
  return pools;
}

Result<PoolInfo> Node::find_pool(const std::string& name) const {
  auto record = state_->require_pool(name);
  if (!record) return fail(std::move(record.error()));
  auto tenant = state_->load_tenant_record(record->tenant);
  return state_->describe(*record, tenant ? tenant->record : std::nullopt);
}

Result<std::uint64_t> Node::count_leases(const std::string& pool) const {
  if (auto ok = check_name("pool name", pool); !ok) return fail(std::move(ok.error()));
  auto store = LeaseStore::open_existing(state_->layout.leases());
  if (!store) return fail(std::move(store.error()));
  if (!*store) return 0;
  auto usage = (*store)->usage(pool);
  if (!usage) return fail(std::move(usage.error()));
  return usage->leased;
}

namespace {

std::string unfinished(PoolPhase phase) {
  if (phase == PoolPhase::making) return "create";
  return phase == PoolPhase::removing ? "delete" : "resize";
}

/// What endpoints with namespaces of their own lack (isolation container).
Result<void> add_endpoint_problems(PoolInfo& info, const NodeState& node, const PoolRecord& pool) {
  auto indices = node.pinned_endpoints(pool.name);
  if (!indices) return fail(std::move(indices.error()));
  for (const auto index : *indices) {
    auto missing = node.endpoint_plan(pool, index);
    if (!missing) return fail(std::move(missing.error()));
    // Its plan makes everything anew, so the steps say nothing of what is missing.
    if (!missing->empty())
      info.problems.push_back("endpoint " + pool.endpoint(index).to_string() +
                              ": its device, an address or a route is missing");
  }
  return {};
}

Result<PoolInfo> inspect_once(const NodeState& node, const std::string& name) {
  auto stored = node.load_pool(name);
  if (!stored) return fail(std::move(stored.error()));
  if (stored->phase == PoolPhase::absent) return fail(node.no_such_pool(name));
  auto tenant = node.load_tenant(stored->record->tenant);
  if (!tenant) return fail(std::move(tenant.error()));
  PoolInfo info = node.describe(*stored->record, tenant->record);
  node.add_usage(info);
  if (auto netns = open_pinned_netns(info.netns_path))
    info.netns_inode = netns->inode().value_or(0);
  if (stored->phase != PoolPhase::ready || stored->resizing) {
    info.health = PoolHealth::partial;
    info.problems.push_back("its " + unfinished(stored->phase) + " is under way or was cut off");
    return info;
  }
  if (!tenant->record) {
    info.health = PoolHealth::damaged;
    info.problems.emplace_back("the record of its tenant's VTEP is gone");
    return info;
  }
  auto missing = node.repair_plan(*stored->record, *tenant);
  if (!missing) return fail(std::move(missing.error()));
  for (const auto& step : missing->steps) info.problems.push_back("missing: " + step.what);
  if (auto ok = add_endpoint_problems(info, node, *stored->record); !ok)
    return fail(std::move(ok.error()));
  if (!info.problems.empty()) info.health = PoolHealth::damaged;
  return info;
}

/// Waits, but not for long, until nobody changes anything of the tenant; nothing when somebody still does.
std::optional<DirLock> wait_for_quiet(const std::string& tenant_directory) {
  constexpr int kTries = 100;
  constexpr std::chrono::milliseconds kPause{5};
  for (int i = 0; i < kTries; ++i) {
    if (i != 0) std::this_thread::sleep_for(kPause);
    auto lock = DirLock::try_acquire(tenant_directory, DirLock::Mode::shared);
    if (!lock) break;
    if (*lock) return *std::move(lock);
  }
  return std::nullopt;
}

}  // namespace

Result<PoolInfo> Node::inspect_pool(const std::string& name) const {
  if (auto ok = check_name("pool name", name); !ok) return fail(std::move(ok.error()));
  auto info = inspect_once(*state_, name);
  if (!info || info->health != PoolHealth::damaged) return info;
  // Records and kernel are read one after the other, and peers come and go in between.
  const auto quiet = wait_for_quiet(state_->layout.tenant(info->tenant));
  return quiet ? inspect_once(*state_, name) : info;
}

}  // namespace particle
