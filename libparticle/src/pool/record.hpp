// SPDX-License-Identifier: Apache-2.0
/// What the run directory says about a tenant and a pool: the resolved form of a spec, everything
/// that the planner needs and the kernel cannot tell.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/ip.hpp>
#include <particle/peer.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>
#include <particle/types.hpp>

namespace particle {

/// The version written into every record; a record with a higher one is refused, not guessed at.
inline constexpr int kRecordVersion = 1;

/// Device indices and names that are the same in every namespace Particle makes.
inline constexpr IfIndex kLoopbackIndex{1};
inline constexpr IfIndex kGuestIndex{2};   ///< eth0 in a pool's namespace
inline constexpr IfIndex kBridgeIndex{2};  ///< in a VTEP namespace
inline constexpr IfIndex kVxlanIndex{3};
inline constexpr const char* kGuestDevice = "eth0";
inline constexpr IfIndex kUplinkIndex{4};  ///< in a VTEP namespace, where a pool has a gateway
inline constexpr const char* kUplinkDevice = "up0";
inline constexpr const char* kUplinkPrefix = "pup";  ///< of the node's ends; the VNI follows
/// The node's namespace, seen from a VTEP's. The kernel numbers namespaces from 0 by itself.
inline constexpr std::uint32_t kNodeNetNsId = 0x504152;

/// A tenant's VTEP on this node.
struct TenantRecord {
  std::string tenant;
  Vni vni;
  IpAddress vtep;                       ///< underlay address
  std::string underlay_device;          ///< the device that carries it
  std::optional<IfIndex> bound_device;  ///< set when the VTEP is bound to the device
  Mtu mtu;                              ///< the largest a pool may have
  std::optional<std::string> direct;    ///< the pool that is the VTEP itself (attachment direct)

  [[nodiscard]] std::string bridge() const { return "br" + std::to_string(vni.value()); }
  /// The node's end of the tenant's uplink, where a pool has egress or published ports.
  [[nodiscard]] std::string uplink() const { return kUplinkPrefix + std::to_string(vni.value()); }
  [[nodiscard]] std::string vxlan() const { return "vx" + std::to_string(vni.value()); }
};

/// One family's part of a pool.
struct EndpointBlock {
  AddressBlock asked;
  IpRange endpoints;            ///< endpoint i is endpoints.at(i)
  std::vector<IpPrefix> owned;  ///< the whole prefix, or the range as prefixes

  [[nodiscard]] const IpAddress& primary() const { return endpoints.first(); }
  friend bool operator==(const EndpointBlock&, const EndpointBlock&) = default;
};

struct PoolRecord {
  std::string name;
  std::uint64_t id = 0;  ///< random; 0 in records that are older than it
  std::string tenant;
  Vni vni;
  std::vector<EndpointBlock> blocks;  ///< one or two, IPv4 first
  std::uint64_t capacity = 0;
  bool count_given = false;
  AddressMode mode = AddressMode::anyip;
  std::string mode_reason;
  Isolation isolation = Isolation::tenant;
  Attachment attachment = Attachment::veth;
  Egress egress = Egress::none;
  std::vector<PublishedPort> published;
  Mac mac;
  Mtu mtu;
  std::string port;  ///< near end of the veth; empty, and its index 0, with attachment direct
  IfIndex port_index;
  std::chrono::milliseconds cooldown{0};

  [[nodiscard]] const EndpointBlock* block(Family family) const;
  [[nodiscard]] Endpoint endpoint(std::uint64_t index) const;
  /// The index of `address`, when it is one of the pool's endpoints.
  [[nodiscard]] std::optional<std::uint64_t> index_of(const IpAddress& address) const;
  /// The lowest leasable index: isolation container keeps endpoint 0 for its router.
  [[nodiscard]] std::uint64_t first_leasable() const {
    return isolation == Isolation::container ? 1 : 0;
  }
  /// Whether it has a gateway: for what goes out, or for the answers of its published ports.
  [[nodiscard]] bool has_gateway() const { return egress != Egress::none || !published.empty(); }
  /// Every prefix that belongs to this pool, both families.
  [[nodiscard]] std::vector<IpPrefix> owned() const;
};

std::string to_text(const TenantRecord& record);
std::string to_text(const PoolRecord& record);
std::string to_text(const std::vector<Peer>& peers);
/// Errors: corrupt_state, naming `path` and what is wrong with it.
Result<TenantRecord> parse_tenant_record(std::string_view text, const std::string& path);
Result<PoolRecord> parse_pool_record(std::string_view text, const std::string& path);
Result<std::vector<Peer>> parse_peers(std::string_view text, const std::string& path);

/// `asked.range` or the host addresses of the prefix, cut to `count` endpoints.
EndpointBlock make_endpoint_block(const AddressBlock& asked, std::uint64_t count);
/// How many endpoints the block could hold, saturated.
std::uint64_t block_capacity(const AddressBlock& asked);

}  // namespace particle
