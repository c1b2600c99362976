// SPDX-License-Identifier: Apache-2.0
/// What the members of Node share: reading records, locking, tidying up.
///
/// Locks, always taken in this order: the node's directory (shared by whoever changes something,
/// exclusive to remove the directory), the tenant's (exclusive for a change of its pools or peers),
/// the pool's (shared to lease, exclusive to resize or delete). All are flock(2) on directories.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <particle/node.hpp>

#include "files/dir_lock.hpp"
#include "files/files.hpp"
#include "pool/apply.hpp"
#include "pool/layout.hpp"
#include "pool/lease_store.hpp"
#include "pool/observe.hpp"
#include "pool/planner.hpp"
#include "pool/record.hpp"

namespace particle {

enum class PoolPhase { absent, making, ready, removing };

/// What pools/<name>/ says.
struct StoredPool {
  PoolPhase phase = PoolPhase::absent;
  std::optional<PoolRecord> record;    ///< of whichever phase; unset when absent
  std::optional<PoolRecord> resizing;  ///< resize.json of a cut-off resize
};

/// What tenants/<tenant>/ says.
struct StoredTenant {
  bool recorded = false;               ///< tenant.json is there: the VTEP was completed
  std::optional<TenantRecord> record;  ///< tenant.json, or intent.json of a cut-off create
  std::vector<PoolRecord> pools;       ///< ready ones, sorted by name
  std::vector<std::string> entries;    ///< names of all, ready or not
  std::vector<Peer> peers;
  std::optional<Error> unreadable_peers;

  /// Its record, or where that is lost one that says no more than its name.
  [[nodiscard]] TenantRecord record_or_bare(const std::string& tenant) const {
    if (record) return *record;
    TenantRecord bare{};
    bare.tenant = tenant;
    return bare;
  }
};

struct Locks {
  DirLock node;
  DirLock tenant;
};

/// What is held to change one pool that exists.
struct PoolLocks {
  Locks tenant;
  DirLock pool;
};

struct NodeState {
  std::string run_dir;
  NetNs netns;
  std::string id;
  Layout layout;
  /// Behind a pointer for its address: operations hold references to it.
  std::unique_ptr<detail::MountHome> mount_home = std::make_unique<detail::MountHome>();

  // Reading (no lock needed: every file is replaced atomically).
  [[nodiscard]] Result<StoredPool> load_pool(const std::string& name) const;
  [[nodiscard]] Result<StoredTenant> load_tenant(const std::string& tenant) const;
  /// For removing and collecting, which must go on: a record that cannot be read is unset.
  [[nodiscard]] Result<StoredTenant> load_tenant_leniently(const std::string& tenant) const;
  /// Pools and peers, into what load_tenant_record found.
  [[nodiscard]] Result<StoredTenant> load_tenant_rest(const std::string& tenant,
                                                      StoredTenant stored) const;
  /// Only its record: a tenant may have many pools. `recorded` as in StoredTenant.
  [[nodiscard]] Result<StoredTenant> load_tenant_record(const std::string& tenant) const;
  /// A ready pool. Errors: not_found, naming other nodes that have it; busy while it is being made
  /// or removed.
  [[nodiscard]] Result<PoolRecord> require_pool(const std::string& name) const;
  [[nodiscard]] Error no_such_pool(const std::string& name) const;
  [[nodiscard]] Result<ObservedNamespace> observe_pin(const std::string& pin) const;

  // Changing.
  [[nodiscard]] Result<Locks> lock(const std::string& tenant, bool create) const;
  /// For a change of pool `name`, which belonged to `tenant` before anything was locked.
  /// Errors: not_found; busy when it is another tenant's by now.
  [[nodiscard]] Result<PoolLocks> lock_pool(const std::string& name,
                                            const std::string& tenant) const;
  [[nodiscard]] Places places(const std::string& tenant) const {
    return {netns, layout, *mount_home, tenant};
  }
  /// Removes what is empty: the tenant's directory (its lock is held) and, once `locks` are let go,
  /// the node's.
  void tidy(const std::string& tenant, std::optional<Locks> locks) const;
  void tidy_node() const;

  /// What can be removed of a pool whose record cannot be read. The node's lock is held exclusively.
  [[nodiscard]] Result<Plan> discard_plan(const std::string& name) const;
  [[nodiscard]] bool is_pinned(const std::string& pin) const;
  [[nodiscard]] bool owns_vni(const std::string& tenant, Vni vni) const;
  [[nodiscard]] Result<Plan> removal_plan(const StoredPool& stored,
                                          const StoredTenant& tenant) const;
  /// Everyone a pool of this tenant has entries for.
  [[nodiscard]] static std::vector<Neighbour> neighbours_of(const PoolRecord& pool,
                                                            const StoredTenant& tenant);
  /// The steps that `pool` lacks, by what the kernel has.
  [[nodiscard]] Result<Plan> repair_plan(const PoolRecord& pool, const StoredTenant& tenant,
                                         const std::vector<PoolRecord>& was = {}) const;

  /// What the pool's gateway lacks, when it is to have one. `have`: the pool's namespace.
  [[nodiscard]] Result<void> append_gateway(Plan& plan, const PoolRecord& pool,
                                            const StoredTenant& tenant, const TenantRecord& record,
                                            const ObservedNamespace& have) const;
  /// Errors: conflict for a port that another pool publishes, or a route that is there already;
  /// invalid_argument when the node does not forward.
  [[nodiscard]] Result<void> check_gateway(const PoolRecord& pool,
                                           const TenantRecord& record) const;
  /// Takes off what a tenant of this VNI may have left of a gateway on the node, when its records are
  /// lost.
  void forget_gateway(Vni vni) const;

  /// From what is recorded, and what a cut-off resize has begun, to `want`. Empty when there is nothing
  /// to do.
  [[nodiscard]] Result<Plan> resize_plan(const StoredPool& stored, const PoolRecord& want,
                                         const StoredTenant& tenant) const;

  /// The steps that an endpoint's own namespace lacks (isolation container).
  [[nodiscard]] Result<Plan> endpoint_plan(const PoolRecord& pool, std::uint64_t index) const;
  /// The same for a container's own namespace, which `guest` names.
  /// Errors: already_exists when its device's name is taken in it, or the endpoint is another's.
  [[nodiscard]] Result<Plan> guest_plan(const PoolRecord& pool, std::uint64_t index,
                                        const Guest& guest) const;
  /// Lets the endpoint's namespace go; a guest's device is taken out of it first.
  [[nodiscard]] Result<void> remove_endpoint(const PoolRecord& pool, std::uint64_t index) const;
  /// The endpoints whose namespaces are pinned in the pool's directory.
  [[nodiscard]] Result<std::vector<std::uint64_t>> pinned_endpoints(const std::string& pool) const;

  [[nodiscard]] PoolInfo describe(const PoolRecord& pool,
                                  const std::optional<TenantRecord>& tenant) const;
  void add_usage(PoolInfo& info) const;
};

/// The first error when there is one; all of them in its details when there are several.
std::optional<Error> combine(std::vector<Error> errors, const std::string& what);

std::uint64_t random_bits();

}  // namespace particle
