// SPDX-License-Identifier: Apache-2.0
#include <linux/if_link.h>
#include <linux/veth.h>

#include <particle/link.hpp>

#include "rtnl/encode.hpp"

namespace particle {
namespace {

/// The far end: an ifinfomsg, then attributes, all inside VETH_INFO_PEER.
void put_peer(nl::MessageWriter& writer, const VethSpec& spec) {
  rtnl::begin_link(writer, spec.peer_index, spec.peer_name);
  rtnl::put_mtu(writer, spec.mtu);
  rtnl::put_mac(writer, spec.peer_mac);
  if (spec.peer_netns_fd >= 0) writer.put_fd(IFLA_NET_NS_FD, spec.peer_netns_fd);
}

}  // namespace

Message encode_veth(const VethSpec& spec) {
  nl::MessageWriter writer(RTM_NEWLINK, rtnl::request_flags(Verb::create));
  rtnl::begin_link(writer, spec.index, spec.name);
  rtnl::put_mtu(writer, spec.mtu);
  rtnl::put_mac(writer, spec.mac);
  rtnl::put_master(writer, spec.master);
  writer.nest(IFLA_LINKINFO, [&] {
    writer.put_text(IFLA_INFO_KIND, "veth");
    writer.nest(IFLA_INFO_DATA,
                [&] { writer.nest(VETH_INFO_PEER, [&] { put_peer(writer, spec); }); });
  });
  return writer.finish();
}

}  // namespace particle
