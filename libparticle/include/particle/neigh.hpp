// SPDX-License-Identifier: Apache-2.0
/// Neighbours and forwarding database entries. Kernel: net/core/neighbour.c:neigh_add,
/// net/core/rtnetlink.c:rtnl_fdb_add, drivers/net/vxlan/vxlan_core.c:vxlan_fdb_add.
#pragma once

#include <optional>

#include <particle/ip.hpp>
#include <particle/message.hpp>
#include <particle/types.hpp>

namespace particle {

/// A permanent neighbour: this IP is at this MAC, no ARP, no NDP, no garbage collection.
struct NeighSpec {
  IfIndex device;
  IpAddress address;
  Mac mac;
};

/// An FDB entry of a vxlan device (`remote` set: NTF_SELF) or of a bridge port (NTF_MASTER, static).
struct FdbSpec {
  IfIndex device;
  Mac mac;
  std::optional<IpAddress> remote;  ///< the peer VTEP's underlay address
};

Message encode_neigh(const NeighSpec& spec, Verb verb = Verb::replace);
Message encode_fdb(const FdbSpec& spec, Verb verb = Verb::replace);

}  // namespace particle
