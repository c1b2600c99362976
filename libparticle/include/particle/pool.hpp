// SPDX-License-Identifier: Apache-2.0
/// Pools: what a caller asks for and what a node has. Source: dissertation section 3.2 (the paper's
/// "ephemeral per-job IP pool").
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/ip.hpp>
#include <particle/result.hpp>
#include <particle/types.hpp>

namespace particle {

/// How the endpoints' addresses exist in the kernel.
enum class AddressMode : std::uint8_t {
  automatic,  ///< secondary up to kAutomaticSecondaryLimit endpoints, anyip above
  secondary,  ///< one address per endpoint on eth0: visible to every tool; O(N^2) in the kernel
  anyip,      ///< one local route: constant time and memory for any N
};
inline constexpr std::uint64_t kAutomaticSecondaryLimit = 256;

/// Who shares what with whom on one node.
enum class Isolation : std::uint8_t {
  tenant,  ///< the tenant's containers share a namespace; its pools on this node reach each other
  job,     ///< a pool per job; jobs of one tenant on one node do not reach each other directly
  container,  ///< a namespace and an in-place veth per lease; the pool's own namespace routes for them
};

/// How a pool is joined to its tenant's VXLAN.
enum class Attachment : std::uint8_t {
  veth,    ///< a veth to the tenant's bridge, in a namespace that no container has
  direct,  ///< the vxlan device is the pool's own: no bridge, no veth; one pool per tenant and node
};

/// Whether a pool's containers reach what is outside their tenant's overlay.
enum class Egress : std::uint8_t {
  none,
  masquerade,  ///< under the node's own address
  routed,      ///< under their own: the networks around must route the pool's prefixes to the node
};

enum class Protocol : std::uint8_t { tcp, udp };

/// A port of the node that leads to an endpoint: "8080:10.1.0.5:80/tcp".
struct PublishedPort {
  Protocol protocol = Protocol::tcp;
  std::uint16_t node_port = 0;  ///< on every address of the node but 127.0.0.1
  IpAddress endpoint;           ///< one of the pool's
  std::uint16_t port = 0;
  /// `NODE_PORT:ENDPOINT:PORT[/tcp|udp]`; an IPv6 endpoint in brackets. Errors: invalid_argument.
  static Result<PublishedPort> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const PublishedPort&, const PublishedPort&) = default;
};

std::string_view to_string(AddressMode mode) noexcept;
std::string_view to_string(Isolation isolation) noexcept;
std::string_view to_string(Attachment attachment) noexcept;
std::string_view to_string(Egress egress) noexcept;
std::string_view to_string(Protocol protocol) noexcept;
Result<AddressMode> parse_address_mode(std::string_view text);
Result<Isolation> parse_isolation(std::string_view text);
Result<Attachment> parse_attachment(std::string_view text);
Result<Egress> parse_egress(std::string_view text);

/// The addresses of one family. With a range the pool owns exactly the range (the prefix is then the
/// tenant's subnet); without one it owns the whole prefix and its endpoints are the host addresses.
struct AddressBlock {
  IpPrefix prefix;
  std::optional<IpRange> range;
  friend bool operator==(const AddressBlock&, const AddressBlock&) = default;
};

/// The node's interface to the fabric. Neither given: the device of the default route, or the only
/// device that is up and has a global address.
struct Underlay {
  std::optional<std::string> device;  ///< bind the VTEP to this device and use its first address
  std::optional<IpAddress> address;   ///< use this address, whichever device carries it
  friend bool operator==(const Underlay&, const Underlay&) = default;
};

/// A request for a pool. Passive: validate with check().
struct PoolSpec {
  std::string name;    ///< `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, at most 63 characters, unique on the node
  std::string tenant;  ///< same alphabet and length
  Vni vni;
  std::vector<AddressBlock> blocks;    ///< one or two: IPv4, IPv6 or both
  std::optional<std::uint64_t> count;  ///< endpoints; unset: as many as the blocks hold
  AddressMode mode = AddressMode::automatic;
  Isolation isolation = Isolation::tenant;
  Attachment attachment = Attachment::veth;  ///< direct goes with isolation tenant only
  /// Anything but none, and published ports, go with attachment veth and not with isolation container.
  Egress egress = Egress::none;
  std::vector<PublishedPort> published;
  Underlay underlay;
  std::optional<Mtu> mtu;                    ///< unset: the underlay's less 50 (IPv4) or 70 (IPv6)
  std::chrono::milliseconds cooldown{1000};  ///< a released endpoint rests this long before reuse
};

/// A pool never has more endpoints than this; the arithmetic is in docs/SCALE.md.
inline constexpr std::uint64_t kMaxEndpoints = 1U << 24;
/// And no more than this in mode secondary: each insert walks the device's address list, so that
/// 65,000 take 102 s.
inline constexpr std::uint64_t kMaxSecondaryEndpoints = 1U << 16;

/// Everything that is wrong with the spec, in the order of its fields; empty when it is valid.
/// Pure: looks at nothing but the spec.
std::vector<Error> check(const PoolSpec& spec);

/// The rule for pool, tenant and holder names. Errors: invalid_argument, naming `what`.
Result<void> check_name(std::string_view what, std::string_view name, std::size_t max_length = 63);

/// One endpoint: its number in the pool and its address in each family the pool has.
struct Endpoint {
  std::uint64_t index = 0;
  std::optional<IpAddress> v4;
  std::optional<IpAddress> v6;
  [[nodiscard]] std::string to_string() const;  ///< "10.0.0.7" or "10.0.0.7,2001:db8::7"
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// What a pool's kernel objects amount to, compared with its record.
enum class PoolHealth : std::uint8_t {
  ready,
  damaged,  ///< recorded as ready, but something is missing or altered in the kernel: gc repairs it
  partial,  ///< a create, resize or delete was cut off: the same command again, or gc, ends it
};
std::string_view to_string(PoolHealth health) noexcept;

/// A pool as it stands: its record, the kernel's view and its use.
struct PoolInfo {
  std::string name;
  /// Another one for each pool that is made, whatever its name: kept by resize, and 0 for pools of versions
  /// that gave none.
  std::uint64_t id = 0;
  std::string tenant;
  Vni vni;
  AddressMode mode = AddressMode::anyip;  ///< never automatic
  std::string mode_reason;
  Isolation isolation = Isolation::tenant;
  Attachment attachment = Attachment::veth;
  Egress egress = Egress::none;
  std::vector<PublishedPort> published;
  std::vector<AddressBlock> blocks;  ///< as asked for
  std::vector<IpPrefix> routes;      ///< what remote nodes must route here, as fewest prefixes
  std::uint64_t capacity = 0;        ///< endpoints
  std::uint64_t leased = 0;
  std::uint64_t cooling = 0;
  std::optional<IpAddress> primary_v4;  ///< the next hop for remote nodes
  std::optional<IpAddress> primary_v6;
  Mac mac;
  Mtu mtu;
  std::string device;      ///< inside the pool's namespace: eth0
  std::string netns_path;  ///< the pin: usable with nsenter --net=, ctr --with-ns
  std::uint64_t netns_inode = 0;
  std::string vtep_path;  ///< the pin of the tenant's VTEP namespace; the pool's own when direct
  std::string bridge;     ///< in the VTEP namespace; empty when direct
  std::string vxlan;      ///< likewise; eth0 when direct
  std::string port;       ///< the veth's near end, on the bridge; empty when direct
  IpAddress vtep;         ///< this node's underlay address
  std::string underlay_device;
  std::chrono::milliseconds cooldown{0};
  PoolHealth health = PoolHealth::ready;
  std::vector<std::string> problems;  ///< one line each: what is missing, what is foreign
};

/// A change of an existing pool's size. Unset fields stay as they are.
struct ResizeSpec {
  std::optional<std::uint64_t> count;
  std::vector<AddressBlock>
      blocks;  ///< replaces the block of the same family; the first address must stay
};

}  // namespace particle
