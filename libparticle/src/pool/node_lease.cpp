// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "pool/guest.hpp"
#include "pool/node_state.hpp"

namespace particle {
namespace {

using Clock = std::chrono::steady_clock;

/// A pool that is ready and stays so while this is held.
struct HeldPool {
  PoolRecord record;
  DirLock lock;
};

Result<HeldPool> hold_pool(const NodeState& node, const std::string& name, DirLock::Mode mode) {
  if (auto ok = check_name("pool name", name); !ok) return fail(std::move(ok.error()));
  auto lock = DirLock::acquire(node.layout.pool(name), mode, false);
  if (!lock)
    return fail(lock.error().kind() == Errc::not_found ? node.no_such_pool(name)
                                                       : std::move(lock.error()));
  auto record = node.require_pool(name);
  if (!record) return fail(std::move(record.error()));
  return HeldPool{*std::move(record), *std::move(lock)};
}

/// Endpoints' namespaces are made and removed under the lock: two commands must not do so at once.
/// Most pools have none, and the record that says so is read under a lock anyway.
Result<HeldPool> hold_pool(const NodeState& node, const std::string& name) {
  auto held = hold_pool(node, name, DirLock::Mode::shared);
  if (!held || held->record.isolation != Isolation::container) return held;
  held->lock = DirLock();
  return hold_pool(node, name, DirLock::Mode::exclusive);
}

Lease to_lease(const LeaseRow& row, const PoolRecord& pool, const Layout& layout) {
  Lease lease;
  lease.pool = row.pool;
  lease.holder = row.holder;
  lease.endpoint =
      row.index < pool.capacity ? pool.endpoint(row.index) : Endpoint{row.index, {}, {}};
  lease.since = row.since;
  if (row.process) lease.process = row.process->pid;
  lease.netns_path = layout.pool_pin(pool.name);
  lease.device = kGuestDevice;
  lease.mac = pool.mac;
  if (pool.isolation != Isolation::container) return lease;
  lease.netns_path = layout.endpoint_pin(pool.name, row.index);
  lease.mac = endpoint_mac(pool, row.index);
  if (const auto guest = load_guest(layout, pool.name, row.index).value_or(std::nullopt)) {
    lease.device = guest->device;
    lease.mac = guest->mac;
  }
  return lease;
}

Result<TakeRequest> to_take_request(const LeaseRequest& request, const PoolRecord& pool) {
  TakeRequest take;
  take.pool = pool.name;
  take.holder = request.holder;
  take.count = request.count;
  take.first_index = pool.first_leasable();
  take.capacity = pool.capacity;
  take.cooldown = pool.cooldown;
  if (request.process) {
    take.process = identify_process(*request.process);
    if (!take.process) {
      return fail(Error::of(Errc::not_found, "lease in pool " + pool.name + ": no process " +
                                                 std::to_string(*request.process)));
    }
  }
  if (!request.address) return take;
  const std::string operation = "lease " + request.address->to_string() + " of pool " + pool.name;
  if (request.count != 1)
    return fail(Error::of(Errc::invalid_argument,
                          operation + ": a named address is one endpoint, count is " +
                              std::to_string(request.count)));
  const auto index = pool.index_of(*request.address);
  if (!index) {
    std::string shown;
    for (const auto& block : pool.blocks)
      shown += (shown.empty() ? "" : ", ") + block.endpoints.to_string();
    return fail(Error::of(Errc::invalid_argument, operation + ": not an endpoint of the pool",
                          "its endpoints are " + shown));
  }
  if (*index < take.first_index) {
    return fail(
        Error::of(Errc::invalid_argument, operation + ": this address is the pool's router"));
  }
  take.index = index;
  return take;
}

/// The store speaks in indices; people and CNI speak in addresses.
Error in_addresses(Error error, const TakeRefusal& refusal, const PoolRecord& pool) {
  if (!refusal.index) return error;
  const std::string endpoint = pool.endpoint(*refusal.index).to_string();
  error.operation =
      "lease " + endpoint + " of pool " + pool.name +
      (refusal.holder.empty() ? ": it is cooling down" : ": it is held by " + refusal.holder);
  return error;
}

/// Gives each lease of a pool of isolation container its own namespace.
Result<void> make_endpoints(const NodeState& node, const PoolRecord& pool,
                            const std::vector<LeaseRow>& rows, const std::optional<Guest>& guest,
                            const ApplyOptions& options) {
  Places places = node.places(pool.tenant);
  for (const auto& row : rows) {
    auto plan =
        guest ? node.guest_plan(pool, row.index, *guest) : node.endpoint_plan(pool, row.index);
    if (!plan) return fail(std::move(plan.error()));
    if (auto done = apply(*plan, places, options); !done) return fail(std::move(done.error()));
  }
  return {};
}

Result<void> remove_endpoints(const NodeState& node, const PoolRecord& pool,
                              const std::vector<LeaseRow>& rows) {
  for (const auto& row : rows) {
    if (auto done = node.remove_endpoint(pool, row.index); !done) return done;
  }
  return {};
}

/// The endpoints that `holder` has before it asks for more: a failure must not take these.
Result<std::set<std::uint64_t>> held_before(LeaseStore& store, const LeaseRequest& request) {
  auto rows = store.list(request.pool, request.holder);
  if (!rows) return fail(std::move(rows.error()));
  std::set<std::uint64_t> indices;
  for (const auto& row : *rows) indices.insert(row.index);
  return indices;
}

Result<std::vector<Lease>> take_once(const NodeState& node, const LeaseRequest& request,
                                     TakeRefusal& refusal, const ApplyOptions& options) {
  auto held = hold_pool(node, request.pool);
  if (!held) return fail(std::move(held.error()));
  const PoolRecord& pool = held->record;
  if (request.guest && pool.isolation != Isolation::container)
    return fail(Error::of(Errc::invalid_argument,
                          "connect " + request.guest->netns_path + " to pool " + pool.name,
                          "a namespace of its own needs a pool of isolation container"));
  if (request.accept) {
    auto tenant = node.load_tenant_record(pool.tenant);
    auto accepted = request.accept(node.describe(pool, tenant ? tenant->record : std::nullopt));
    if (!accepted) return fail(std::move(accepted.error()));
  }
  auto take = to_take_request(request, pool);
  if (!take) return fail(std::move(take.error()));
  auto store = LeaseStore::open(node.layout.leases());
  if (!store) return fail(std::move(store.error()));
  std::set<std::uint64_t> before;
  if (pool.isolation == Isolation::container) {
    auto held_indices = held_before(*store, request);
    if (!held_indices) return fail(std::move(held_indices.error()));
    before = *std::move(held_indices);
  }
  auto rows = store->take(*take, &refusal);
  if (!rows) return fail(in_addresses(std::move(rows.error()), refusal, pool));
  if (pool.isolation == Isolation::container) {
    if (auto made = make_endpoints(node, pool, *rows, request.guest, options); !made) {
      std::erase_if(*rows, [&](const LeaseRow& row) { return before.contains(row.index); });
      (void)remove_endpoints(node, pool, *rows);
      for (const auto& row : *rows)
        (void)store->release(pool.name, row.holder, row.index, std::chrono::milliseconds(0));
      return fail(std::move(made.error()));
    }
  }
  std::vector<Lease> leases;
  for (const auto& row : *rows) leases.push_back(to_lease(row, pool, node.layout));
  return leases;
}

Result<void> check_holder(const std::string& holder) {
  return check_name("holder", holder, 255);
}

}  // namespace

Result<Plan> NodeState::endpoint_plan(const PoolRecord& pool, std::uint64_t index) const {
  auto guest = load_guest(layout, pool.name, index);
  if (!guest) return fail(std::move(guest.error()));
  if (*guest)
    return guest_plan(pool, index,
                      {layout.endpoint_pin(pool.name, index), (*guest)->device, (*guest)->mac});
  auto have = observe_pin(layout.endpoint_pin(pool.name, index));
  if (!have) return fail(std::move(have.error()));
  Plan plan;
  plan_endpoint(plan, layout, pool, index, make_port_identity(pool.name, random_bits()), *have);
  return plan;
}

Result<std::vector<Lease>> Node::lease(const LeaseRequest& request,
                                       const ApplyOptions& options) const {
  if (auto ok = check_holder(request.holder); !ok) return fail(std::move(ok.error()));
  if (request.count == 0)
    return fail(
        Error::of(Errc::invalid_argument, "lease in pool " + request.pool + ": count is 0"));
  if (request.guest && request.count != 1)
    return fail(Error::of(Errc::invalid_argument,
                          "connect " + request.guest->netns_path + " to pool " + request.pool +
                              ": it is one endpoint, count is " + std::to_string(request.count)));
  const auto deadline = Clock::now() + request.wait;
  for (;;) {
    TakeRefusal refusal;
    auto leases = take_once(*state_, request, refusal, options);
    if (leases || !refusal.wait) return leases;
    const auto now = Clock::now();
    if (now + *refusal.wait > deadline || options.stop.stop_requested()) return leases;
    std::this_thread::sleep_for(
        std::max<std::chrono::nanoseconds>(*refusal.wait, std::chrono::milliseconds(1)));
  }
}

Result<std::vector<Lease>> Node::release(const std::string& pool, const std::string& holder,
                                         std::optional<IpAddress> address,
                                         std::uint64_t* left) const {
  if (auto ok = check_holder(holder); !ok) return fail(std::move(ok.error()));
  auto held = hold_pool(*state_, pool);
  if (!held) return fail(std::move(held.error()));
  std::optional<std::uint64_t> index;
  if (address) {
    index = held->record.index_of(*address);
    if (!index) {
      return fail(Error::of(Errc::invalid_argument, "release " + address->to_string() +
                                                        ": not an endpoint of pool " + pool));
    }
  }
  auto store = LeaseStore::open_existing(state_->layout.leases());
  if (!store) return fail(std::move(store.error()));
  std::vector<Lease> leases;
  if (left != nullptr) *left = 0;
  if (!*store) return leases;
  if (held->record.isolation == Isolation::container) {
    auto rows = (*store)->list(pool, holder);
    if (!rows) return fail(std::move(rows.error()));
    std::erase_if(*rows, [&](const LeaseRow& row) { return index && row.index != *index; });
    if (auto removed = remove_endpoints(*state_, held->record, *rows); !removed)
      return fail(std::move(removed.error()));
  }
  auto rows = (*store)->release(pool, holder, index, held->record.cooldown, left);
  if (!rows) return fail(std::move(rows.error()));
  for (const auto& row : *rows) leases.push_back(to_lease(row, held->record, state_->layout));
  return leases;
}

Result<std::vector<Lease>> Node::leases(const std::optional<std::string>& pool,
                                        const std::optional<std::string>& holder) const {
  if (pool) {
    if (auto record = state_->require_pool(*pool); !record) return fail(std::move(record.error()));
  }
  std::vector<Lease> leases;
  auto store = LeaseStore::open_existing(state_->layout.leases());
  if (!store) return fail(std::move(store.error()));
  if (!*store) return leases;
  auto rows = (*store)->list(pool, holder);
  if (!rows) return fail(std::move(rows.error()));
  std::optional<PoolRecord> record;
  for (const auto& row : *rows) {
    if (!record || record->name != row.pool) {
      auto stored = state_->load_pool(row.pool);
      if (!stored) return fail(std::move(stored.error()));
      if (!stored->record) continue;  // the pool went while we were reading
      record = *std::move(stored->record);
    }
    leases.push_back(to_lease(row, *record, state_->layout));
  }
  return leases;
}

}  // namespace particle
