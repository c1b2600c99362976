// SPDX-License-Identifier: Apache-2.0
/// `Node`: the entry point. A node is a network namespace with its pools, leases and peers.
///
/// Threads: every member may be called concurrently, from any number of threads and processes;
/// operations on one tenant are serialized by a lock under the run directory.
/// Idempotence: create_pool of an existing pool with the same spec, delete of what a cut-off delete
/// left, add_peer of an identical peer and release of nothing succeed and say so.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/lease.hpp>
#include <particle/netns.hpp>
#include <particle/peer.hpp>
#include <particle/plan.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>

namespace particle {

inline constexpr std::string_view kDefaultRunDir = "/run/particle";

struct NodeOptions {
  std::string run_dir{kDefaultRunDir};  ///< absolute; made on first use
};

struct CreateResult {
  PoolInfo pool;  ///< without the kernel's view: no netns_inode, no problems
  Outcome outcome;
};

enum class GcAction : std::uint8_t { removed, repaired, released, kept };
std::string_view to_string(GcAction action) noexcept;

struct GcFinding {
  GcAction action = GcAction::removed;
  std::string object;  ///< "pool acme", "node 1f3a9c42-77", "lease 10.0.0.7 of c42"
  std::string reason;  ///< "create was cut off", "its namespace is gone"
};

struct GcOptions {
  bool dry_run = false;
  /// Release the leases of holders for which this returns false. Unset: only those bound to a
  /// process that is gone.
  std::function<bool(const Lease&)> holder_alive;
};

struct NodeState;  // what the members share; internal

class Node {
 public:
  /// The node is the calling thread's network namespace. Touches no file.
  /// Errors: invalid_argument for a relative run directory.
  static Result<Node> open(const NodeOptions& options = {});
  Node(Node&&) noexcept;
  Node& operator=(Node&&) noexcept;
  ~Node();

  /// `BOOT-COOKIE`: the boot id's first eight digits and the namespace's cookie.
  [[nodiscard]] const std::string& id() const noexcept;
  [[nodiscard]] const std::string& run_dir() const noexcept;
  /// Where this node's records and pins are.
  [[nodiscard]] std::string directory() const;

  /// The steps create_pool would take. Changes nothing.
  [[nodiscard]] Result<Plan> plan_create(const PoolSpec& spec) const;
  /// Makes a pool, or completes a half-made one, or says that it is there already.
  /// Errors: invalid_argument (all fields at once in details), conflict (with the differences in
  /// details), already_exists, permission_denied, unsupported, exhausted, interrupted.
  [[nodiscard]] Result<CreateResult> create_pool(const PoolSpec& spec,
                                                 const ApplyOptions& options = {}) const;

  [[nodiscard]] Result<Plan> plan_resize(const std::string& name, const ResizeSpec& spec) const;
  /// Errors: not_found, invalid_argument, busy when a lease would fall outside.
  [[nodiscard]] Result<Outcome> resize_pool(const std::string& name, const ResizeSpec& spec,
                                            const ApplyOptions& options = {}) const;

  [[nodiscard]] Result<Plan> plan_delete(const std::string& name, bool force) const;
  /// Errors: not_found, busy while leases are held (unless `force`).
  [[nodiscard]] Result<Outcome> delete_pool(const std::string& name, bool force = false,
                                            const ApplyOptions& options = {}) const;

  /// The pools of this node from their records, without asking the kernel; sorted by name.
  [[nodiscard]] Result<std::vector<PoolInfo>> list_pools() const;
  /// One ready pool from its record, without asking the kernel or counting leases: one small file or
  /// two. Errors: not_found, busy while it is being made or removed.
  [[nodiscard]] Result<PoolInfo> find_pool(const std::string& name) const;
  /// How many endpoints of the pool are leased now; 0 for a pool that is not there.
  [[nodiscard]] Result<std::uint64_t> count_leases(const std::string& pool) const;
  /// One pool, compared with the kernel (libnl-route). What looks damaged while something of the tenant
  /// is being changed is looked at again when that is over, for which it waits half a second at most.
  [[nodiscard]] Result<PoolInfo> inspect_pool(const std::string& name) const;
  [[nodiscard]] Result<NetNs> open_pool_netns(const std::string& name) const;
  /// The namespace that has the tenant's vxlan device: with attachment direct its pool's.
  [[nodiscard]] Result<NetNs> open_vtep_netns(const std::string& tenant) const;

  /// Errors: not_found, exhausted, busy (named address held or cooling, or only cooling ones left),
  /// invalid_argument (address outside the pool).
  /// `options` are for the steps that isolation container takes.
  [[nodiscard]] Result<std::vector<Lease>> lease(const LeaseRequest& request,
                                                 const ApplyOptions& options = {}) const;
  /// Releases every endpoint that `holder` has in `pool`, or the one at `address`. Returns what was
  /// released; nothing held is no error. `left`, where given, gets the number of leases that the pool
  /// has then.
  [[nodiscard]] Result<std::vector<Lease>> release(const std::string& pool,
                                                   const std::string& holder,
                                                   std::optional<IpAddress> address = {},
                                                   std::uint64_t* left = nullptr) const;
  /// All leases, of one pool and/or one holder when given; ordered by pool and endpoint.
  [[nodiscard]] Result<std::vector<Lease>> leases(
      const std::optional<std::string>& pool = {},
      const std::optional<std::string>& holder = {}) const;

  /// Errors: not_found when the tenant has no pool here, conflict when a prefix overlaps a local
  /// pool or another peer, the MAC is another peer's, or the peer is kept by another owner.
  [[nodiscard]] Result<Outcome> add_peer(const Peer& peer, const ApplyOptions& options = {}) const;
  /// Removes the peer with this underlay address. Errors: not_found.
  [[nodiscard]] Result<Outcome> remove_peer(const std::string& tenant, const IpAddress& vtep,
                                            const ApplyOptions& options = {}) const;
  /// Makes `peers` exactly those of the tenant's peers that `owner` keeps, in one change: entries that
  /// both the old set and the new one have are not touched, so that traffic through them goes on, what
  /// the kernel has lost is restored, and the peers of other owners stay as they are. `owner` is a
  /// name; it is written into each peer.
  /// Errors: as add_peer, before anything is changed; invalid_argument for a peer of another tenant.
  [[nodiscard]] Result<Outcome> replace_peers(const std::string& tenant, const std::string& owner,
                                              const std::vector<Peer>& peers,
                                              const ApplyOptions& options = {}) const;
  [[nodiscard]] Result<std::vector<PeerInfo>> list_peers(
      const std::optional<std::string>& tenant = {}) const;

  /// Finds and removes or repairs what crashes, reboots and vanished nodes left under the run
  /// directory. Goes on past single failures, which become findings with GcAction::kept.
  [[nodiscard]] Result<std::vector<GcFinding>> collect_garbage(const GcOptions& options = {}) const;

 private:
  explicit Node(std::unique_ptr<NodeState> state);
  std::unique_ptr<NodeState> state_;
};

}  // namespace particle
