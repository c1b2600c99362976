// SPDX-License-Identifier: Apache-2.0
/// Links: bridge, vxlan and veth, created where they live; no device is moved between namespaces.
/// Specs are passive; `encode_*` are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <particle/ip.hpp>
#include <particle/message.hpp>
#include <particle/types.hpp>

namespace particle {

/// A bridge without STP and multicast snooping. Kernel: net/bridge/br_netlink.c:br_dev_newlink.
struct BridgeSpec {
  std::string name;
  IfIndex index;  ///< wished for; 0 lets the kernel choose
  std::optional<Mtu> mtu;
  std::optional<Mac> mac;
};

/// A VXLAN device. Sent in the node's namespace it keeps its UDP socket there, while the device
/// itself is born in `netns_fd`. Kernel: drivers/net/vxlan/vxlan_core.c:vxlan_newlink.
struct VxlanSpec {
  std::string name;
  IfIndex index;
  Vni vni;
  std::optional<IpAddress> local;   ///< the underlay address of this VTEP
  std::optional<IfIndex> underlay;  ///< IFLA_VXLAN_LINK: bind to this device of the node
  std::uint16_t port = 4789;        ///< UDP destination port (IANA), host byte order
  bool learning = false;
  std::optional<Mtu> mtu;
  std::optional<Mac> mac;
  std::optional<IfIndex> master;  ///< a bridge in the namespace the device is born in
  int netns_fd = -1;              ///< where it is born; -1: the session's namespace
};

/// A veth pair, both ends born in place. The near end is in the session's namespace, the far end in
/// `peer_netns_fd`. The far end cannot be created up (ENOTCONN). Kernel: drivers/net/veth.c:veth_newlink.
struct VethSpec {
  std::string name;
  IfIndex index;
  std::optional<Mac> mac;
  std::optional<IfIndex> master;  ///< enslaves the near end at birth
  std::string peer_name;
  IfIndex peer_index;
  std::optional<Mac> peer_mac;
  int peer_netns_fd = -1;  ///< -1: the session's namespace
  std::optional<Mtu> mtu;  ///< of both ends
};

/// Per-port settings of a bridge port; unset fields stay as they are.
struct BridgePortSpec {
  std::optional<bool> learning;
  std::optional<bool> unicast_flood;
  std::optional<bool> multicast_flood;
  std::optional<bool> broadcast_flood;
  std::optional<bool> neigh_suppress;
  std::optional<bool> isolated;
};

/// A change of an existing link, named by index (or, where that is 0, by name).
struct LinkChange {
  IfIndex index;
  std::string name;
  std::optional<bool> up;
  std::optional<Mtu> mtu;
  std::optional<Mac> mac;
  std::optional<IfIndex> master;  ///< index 0 releases it
  std::optional<std::string> alias;
  std::optional<std::string> new_name;  ///< only together with `index`, else the message is empty
  std::optional<BridgePortSpec> port;  ///< the link must be a port already: not with a new `master`
};

Message encode_bridge(const BridgeSpec& spec);
Message encode_vxlan(const VxlanSpec& spec);
Message encode_veth(const VethSpec& spec);
/// RTM_NEWLINK on an existing link; port settings travel as IFLA_INFO_SLAVE_DATA.
Message encode_link_change(const LinkChange& change);
Message encode_link_removal(IfIndex index);
Message encode_link_removal(const std::string& name);
/// Asks for a link, whose answer transact passes over: since Linux 6.8 the question makes the kernel
/// act on a carrier that has just come up (net/core/link_watch.c:linkwatch_sync_dev) instead of
/// leaving it to a work queue. Until then a bridge port and a queue drop what is sent.
Message encode_link_query(IfIndex index);
/// Moves a link. Not used on a pool's path: the comparison with the usual way needs it.
Message encode_link_move(const std::string& name, int netns_fd);

}  // namespace particle
