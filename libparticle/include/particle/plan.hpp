// SPDX-License-Identifier: Apache-2.0
/// Plans: an ordered list of named steps, each with its undo, as pure data.
///
/// The planner turns what is wanted and what is observed into a Plan; apply executes it. Create,
/// resize, delete, repair and gc are the same planner with another "wanted".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <particle/addr.hpp>
#include <particle/link.hpp>
#include <particle/neigh.hpp>
#include <particle/netns.hpp>
#include <particle/route.hpp>

namespace particle {

/// Where a step belongs in figure 3.1 of the dissertation. S3 and S4 (moving the veth's ends) have
/// no steps here: both ends are born in place.
enum class Stage : std::uint8_t {
  record,
  vtep,
  s1_namespace,
  s2_veth,
  s5_attach,
  s6_addresses,
  teardown
};
std::string_view to_string(
    Stage stage) noexcept;  ///< "record", "VTEP", "S1", "S2", "S5", "S6", "teardown"

/// A namespace of the plan: the node's own, the tenant's VTEP, a pool's, or (isolation container)
/// one endpoint's.
struct Place {
  enum class Kind : std::uint8_t { node, vtep, pool, endpoint } kind = Kind::node;
  std::string pool;            ///< for Kind::pool and Kind::endpoint
  std::uint64_t endpoint = 0;  ///< for Kind::endpoint
  static Place node() { return {}; }
  static Place vtep() { return {Kind::vtep, {}, 0}; }
  static Place of_pool(std::string name) { return {Kind::pool, std::move(name), 0}; }
  static Place of_endpoint(std::string name, std::uint64_t index) {
    return {Kind::endpoint, std::move(name), index};
  }
  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct AddrRange {
  IfIndex device;
  IpRange range;  ///< every address of it, as a host address
};
struct LinkRemoval {
  std::string name;
};
/// Waits until the kernel has acted on the link's carrier: see encode_link_query.
struct LinkSync {
  IfIndex index;
};
using Object = std::variant<BridgeSpec, VxlanSpec, VethSpec, LinkChange, LinkRemoval, AddrRange,
                            RouteSpec, NeighSpec, FdbSpec, LinkSync>;

/// One netlink object and what to do with it. Descriptors inside (netns_fd) are filled in by apply.
struct Change {
  Object object;
  Verb verb = Verb::create;
  Place birthplace;  ///< VxlanSpec: where the device is born; VethSpec: where the far end is
};

/// Netlink requests to one namespace, sent as one batch.
struct Configure {
  Place place;
  std::vector<Change> changes;
  bool missing_is_fine = false;  ///< on removal: ENODEV, ENOENT, ESRCH, EADDRNOTAVAIL count as done
};
struct MakeNamespace {
  Place place;
  std::string pin;
  std::vector<Sysctl> sysctls;
  /// The id that the node's namespace gets in it before it is pinned; 0: none.
  std::uint32_t node_id = 0;
};
/// Pins a namespace that somebody else made, so that it is found again until it is let go.
struct AdoptNamespace {
  Place place;
  std::string source;  ///< any nsfs file
  std::string pin;
};
struct WriteSysctls {
  Place place;
  std::vector<Sysctl> sysctls;
};
/// A whole nftables table, in place of the one of that name. In one transaction, so that no packet
/// meets half of it. Kernel: net/netfilter/nf_tables_api.c.
struct ReplaceRules {
  Place place;
  std::string table;  ///< of family inet
  std::string
      rules;  ///< what is between its braces, as nft(8) reads it; empty: there shall be none
};
struct RemoveNamespace {
  Place place;
  std::string pin;
};
/// A directory that appears with `file` in it, at once (made beside and renamed): it reserves a name.
struct MakeDirectory {
  std::string path;
  std::string file;
  std::string content;
};
struct RemoveDirectory {
  std::string path;  ///< with the plain files and empty directories in it
};
/// Written beside and renamed over: a reader sees the old content or the new one.
struct WriteFile {
  std::string path;
  std::string content;
};
struct RenameFile {
  std::string from;
  std::string to;
};
struct RemoveFile {
  std::string path;
};
struct MakeSymlink {
  std::string target;
  std::string path;
};
/// Forgets the leases of a pool, or those at and above an endpoint index.
struct ForgetLeases {
  std::string pool;
  std::uint64_t from_index = 0;
};
using Action = std::variant<Configure, MakeNamespace, AdoptNamespace, WriteSysctls, ReplaceRules,
                            RemoveNamespace, MakeDirectory, RemoveDirectory, WriteFile, RenameFile,
                            RemoveFile, MakeSymlink, ForgetLeases>;

struct Step {
  std::string name;  ///< "pool.veth"
  Stage stage = Stage::record;
  std::string what;  ///< for people: "veth acme.k3f9x <-> eth0, born in place"
  Action action;
  std::vector<Action> undo;  ///< run in order when a later step fails
};

struct Plan {
  std::vector<Step> steps;
  [[nodiscard]] bool empty() const noexcept { return steps.empty(); }
};

/// How long a step took, and whether it was done.
struct StepTime {
  std::string name;
  Stage stage = Stage::record;
  std::string what;
  /// Zero for a step that went to the kernel in one batch with the next one.
  std::chrono::nanoseconds took{0};
};

struct ApplyOptions {
  /// Called after every step with its number (from 1) and the number of steps.
  std::function<void(std::size_t, std::size_t, const Step&)> after_step;
  /// Called within long steps: requests done, requests in all.
  std::function<void(std::size_t, std::size_t)> progress;
  /// Cancels between requests; what was done is undone and the error is Errc::interrupted.
  std::stop_token stop;
  /// Every step goes to the kernel by itself, and so has a time of its own; `after_step` asks for the
  /// same. Otherwise adjoining steps in one namespace go as one netlink batch, which saves a pool
  /// about a twentieth of its time.
  bool step_by_step = false;
};

/// What an operation did.
struct Outcome {
  bool changed = false;  ///< false: everything was already as wanted
  std::vector<StepTime> steps;
  std::chrono::nanoseconds total{0};
};

}  // namespace particle
