// SPDX-License-Identifier: Apache-2.0
/// Reading a namespace back through libnl-route's caches: a decoder that shares no code with the
/// encoders, and so keeps the writer honest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <particle/addr.hpp>
#include <particle/neigh.hpp>
#include <particle/netns.hpp>
#include <particle/route.hpp>

namespace particle {

struct ObservedLink {
  IfIndex index;
  std::string name;
  std::string kind;  ///< "bridge", "vxlan", "veth"; empty for lo and hardware
  bool up = false;
  std::uint32_t mtu = 0;
  Mac mac;
  IfIndex master;
  std::string alias;
};

struct ObservedAddress {
  IfIndex device;
  IpAddress address;
  unsigned prefix_length = 0;
  bool link_scope = false;  ///< link-local or host scope: not for an underlay
  friend auto operator<=>(const ObservedAddress&, const ObservedAddress&) = default;
};

/// One namespace as the kernel has it. Everything is sorted.
struct ObservedNamespace {
  bool exists = false;
  std::uint64_t inode = 0;
  std::vector<ObservedLink> links;
  std::vector<ObservedAddress> addresses;
  std::vector<RouteSpec> routes;      ///< unicast and local ones
  std::vector<NeighSpec> neighbours;  ///< permanent ones
  std::vector<FdbSpec> fdb;           ///< vxlan entries with a remote, and static bridge entries

  [[nodiscard]] const ObservedLink* link(const std::string& name) const;
  [[nodiscard]] const ObservedLink* link(IfIndex index) const;
  [[nodiscard]] bool has_address(IfIndex device, const IpAddress& address) const;
  [[nodiscard]] const RouteSpec* route(const IpPrefix& destination, RouteKind kind) const;
};

/// Errors: permission_denied (setns), kernel when a dump fails; a dump that the kernel marks as
/// inconsistent (NLE_DUMP_INTR) is taken again.
Result<ObservedNamespace> observe(const NetNs& netns);
/// Links and addresses only: enough to find an underlay, and cheap on a node with many routes.
Result<ObservedNamespace> observe_links(const NetNs& netns);
/// The device of the default route (IPv4 first), if there is one.
Result<std::optional<IfIndex>> default_route_device(const NetNs& netns);

}  // namespace particle
