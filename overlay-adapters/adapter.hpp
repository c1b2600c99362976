// SPDX-License-Identifier: Apache-2.0
/// The driver of a control plane: tells the others of this node's pools, and this node of theirs.
///
/// An adapter changes nothing in the kernel's tables for peers: it hands over what it has learnt as one
/// complete list, and the reconciler (reconcile.hpp) enters the difference through libparticle. A
/// list cannot be applied twice or in the wrong order, as a stream of changes could be, so that a lost
/// event or a restart needs no care of its own.
///
/// Threads: one thread calls the members of one adapter. An adapter may have threads of its own.
/// Time: no member waits for the network; what takes long is done in the background, and health()
/// says how it goes.
/// Lifetime: destroying an adapter withdraws nothing. What was announced stands until withdraw(), or
/// until a time limit of the control plane itself (a lease, a hold timer) ends.
/// Source: dissertation section 3.3: Particle makes no assumption about the control plane; it passes
/// it the VTEP's namespace and what to announce.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <particle/ip.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>
#include <particle/types.hpp>

#include "announcement.hpp"

namespace particle::overlay {

/// What an adapter can do. Constant for a kind of adapter.
struct Capabilities {
  std::string_view name;  ///< as in `--overlay NAME`; also the owner of the peers it leads to
  /// announce() reaches the other nodes. Otherwise each node's own source lists the others.
  bool announces = false;
  /// Changes elsewhere arrive by themselves. Otherwise reload() asks for them.
  bool live = false;
  /// A node that dies is withdrawn by the control plane after a while, without anybody's doing.
  bool withdraws_the_dead = false;
  /// A daemon enters forwarding entries in the tenant's VTEP namespace itself; the reconciler adds
  /// what it lacks.
  bool forwards_by_daemon = false;
  bool ipv6_underlay = false;
};

/// A tenant's VTEP on this node.
struct Vtep {
  std::string tenant;
  Vni vni;
  IpAddress address;       ///< of the underlay
  std::string netns_path;  ///< the pin of its namespace, for open_pinned_netns()
  std::string bridge;      ///< device names in that namespace
  std::string vxlan;
  friend bool operator==(const Vtep&, const Vtep&) = default;
};
/// That of a pool.
Vtep vtep_of(const PoolInfo& pool);

/// What is known of the other nodes' pools.
struct PeerView {
  /// In order of seniority: of two that claim the same addresses, the earlier one is kept and the later
  /// one refused. This node's own announcements are not among them.
  std::vector<Announcement> announcements;
  /// This is all there is. False while the control plane has not been read yet, or is out of reach:
  /// peers are then added and changed, but none is removed because it is not listed.
  bool complete = false;
  friend bool operator==(const PeerView&, const PeerView&) = default;
};

enum class HealthState : std::uint8_t {
  ok,
  degraded,  ///< it works in part, or on what it knew before
  failed,    ///< nothing is announced or learnt
};
std::string_view to_string(HealthState state) noexcept;

struct Health {
  HealthState state = HealthState::ok;
  std::vector<std::string> problems;  ///< one line each: which peer or server is missing, and why
  friend bool operator==(const Health&, const Health&) = default;
};

class Adapter {
 public:
  Adapter() = default;
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;
  virtual ~Adapter() = default;

  [[nodiscard]] virtual const Capabilities& capabilities() const noexcept = 0;

  /// A tenant has a VTEP here, from its first pool on until its last one is removed. Idempotent; a
  /// VTEP with other values replaces the tenant's old one.
  virtual Result<void> attach(const Vtep& vtep) = 0;
  /// Idempotent: a tenant that is not attached is no error.
  virtual Result<void> detach(const std::string& tenant) = 0;

  /// This node has this pool: the others are to know. Idempotent; another announcement of the same
  /// pool replaces the first. Returns once it is noted; delivered in the background, again and again
  /// until it is, which health() tells. Its tenant is attached.
  /// Errors: only what no repetition can mend.
  virtual Result<void> announce(const Announcement& announcement) = 0;
  /// This node no longer has the pool of this name. Idempotent.
  virtual Result<void> withdraw(const std::string& pool) = 0;

  /// This node has been announced whole, for the first time since the adapter was made: what it
  /// announced in an earlier life, and not again until now, is to be withdrawn. Called once.
  virtual Result<void> announced_all() { return {}; }

  /// Readable when view() or health() may have changed; -1 when that happens only by reload().
  [[nodiscard]] virtual int event_fd() const noexcept = 0;
  /// What is known now; also takes what made event_fd() readable, even when it fails.
  /// Errors: those that leave nothing to be known. Then what was known before holds.
  [[nodiscard]] virtual Result<PeerView> view() = 0;

  /// Reads its source or its settings' files again (SIGHUP). When they are wrong, what was known before
  /// holds. Errors: what is wrong with them.
  virtual Result<void> reload() = 0;

  [[nodiscard]] virtual Health health() = 0;
};

/// What an adapter is made with.
struct AdapterContext {
  std::string node;  ///< this node's name in the cluster
  std::string
      node_id;  ///< Node::id(): another one under the same name is another machine's, or boot's
  std::map<std::string, std::string> settings;  ///< by Setting::name; only those that were given

  [[nodiscard]] std::optional<std::string> setting(std::string_view name) const;
};

/// Something a kind of adapter can be told. `particle agent` has an option `--NAME` for each.
struct Setting {
  std::string_view name;  ///< "peers"; unique over all adapters: "etcd-endpoints"
  std::string_view type;  ///< what help shows for the value: FILE, URL, SECONDS
  std::string_view help;  ///< a sentence, with the default
  bool required = false;
};

/// A kind of adapter, as data: naming it links none of what it needs.
struct AdapterKind {
  const Capabilities* capabilities;
  std::string_view summary;
  std::span<const Setting> settings;
};

/// All kinds, in the order in which help shows them (registry.cpp).
std::vector<const AdapterKind*> adapter_kinds();
/// Errors: not_found, with the names there are.
Result<const AdapterKind*> find_adapter_kind(std::string_view name);
/// Makes one (factory.cpp), in the node's network namespace: it is the calling thread's. Connects to nothing, and fails only for a name or settings that are wrong.
/// Errors: not_found; invalid_argument for a required setting that is missing, one that this kind does
/// not have, or a wrong value.
Result<std::unique_ptr<Adapter>> make_adapter(std::string_view name, const AdapterContext& context);

}  // namespace particle::overlay
