// SPDX-License-Identifier: Apache-2.0
#include <linux/if.h>
#include <linux/if_link.h>

#include <particle/link.hpp>

#include "rtnl/encode.hpp"

namespace particle {
namespace {

void put_port(nl::MessageWriter& writer, const BridgePortSpec& port) {
  const auto put = [&](std::uint16_t type, const std::optional<bool>& setting) {
    if (setting) writer.put_u8(type, *setting ? 1 : 0);
  };
  writer.nest(IFLA_LINKINFO, [&] {
    writer.put_text(IFLA_INFO_SLAVE_KIND, "bridge");
    writer.nest(IFLA_INFO_SLAVE_DATA, [&] {
      put(IFLA_BRPORT_LEARNING, port.learning);
      put(IFLA_BRPORT_UNICAST_FLOOD, port.unicast_flood);
      put(IFLA_BRPORT_MCAST_FLOOD, port.multicast_flood);
      put(IFLA_BRPORT_BCAST_FLOOD, port.broadcast_flood);
      put(IFLA_BRPORT_NEIGH_SUPPRESS, port.neigh_suppress);
      put(IFLA_BRPORT_ISOLATED, port.isolated);
    });
  });
}

}  // namespace

Message encode_link_change(const LinkChange& change) {
  // The kernel finds a link without an index by IFLA_IFNAME, so that it cannot carry another name.
  if (!change.index.valid() && change.new_name) return {};
  nl::MessageWriter writer(RTM_NEWLINK, NLM_F_REQUEST);
  auto& header = writer.family_header<ifinfomsg>();
  header.ifi_index = rtnl::kernel_index(change.index);
  if (change.up) {
    header.ifi_change = IFF_UP;
    header.ifi_flags = *change.up ? unsigned{IFF_UP} : 0U;
  }
  if (!change.index.valid()) writer.put_text(IFLA_IFNAME, change.name);
  if (change.new_name) writer.put_text(IFLA_IFNAME, *change.new_name);
  rtnl::put_mtu(writer, change.mtu);
  rtnl::put_mac(writer, change.mac);
  rtnl::put_master(writer, change.master);
  if (change.alias) writer.put_text(IFLA_IFALIAS, *change.alias);
  if (change.port) put_port(writer, *change.port);
  return writer.finish();
}

Message encode_link_removal(IfIndex index) {
  if (!index.valid()) return {};
  nl::MessageWriter writer(RTM_DELLINK, NLM_F_REQUEST);
  writer.family_header<ifinfomsg>().ifi_index = rtnl::kernel_index(index);
  return writer.finish();
}

Message encode_link_removal(const std::string& name) {
  nl::MessageWriter writer(RTM_DELLINK, NLM_F_REQUEST);
  rtnl::begin_link(writer, {}, name);
  return writer.finish();
}

Message encode_link_query(IfIndex index) {
  if (!index.valid()) return {};
  nl::MessageWriter writer(RTM_GETLINK, NLM_F_REQUEST);
  writer.family_header<ifinfomsg>().ifi_index = rtnl::kernel_index(index);
  return writer.finish();
}

Message encode_link_move(const std::string& name, int netns_fd) {
  nl::MessageWriter writer(RTM_NEWLINK, NLM_F_REQUEST);
  rtnl::begin_link(writer, {}, name);
  writer.put_fd(IFLA_NET_NS_FD, netns_fd);
  return writer.finish();
}

}  // namespace particle
