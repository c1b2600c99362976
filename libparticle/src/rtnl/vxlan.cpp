// SPDX-License-Identifier: Apache-2.0
#include <linux/if_link.h>

#include <particle/link.hpp>

#include "rtnl/encode.hpp"

namespace particle {
namespace {

void put_vxlan_data(nl::MessageWriter& writer, const VxlanSpec& spec) {
  writer.put_u32(IFLA_VXLAN_ID, spec.vni.value());
  if (spec.local)
    writer.put_address(spec.local->is_v4() ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, *spec.local);
  // The device to send through, looked up in the namespace of the socket (vxlan_config_validate).
  if (spec.underlay) writer.put_u32(IFLA_VXLAN_LINK, spec.underlay->value);
  writer.put_be16(IFLA_VXLAN_PORT, spec.port);
  writer.put_u8(IFLA_VXLAN_LEARNING, spec.learning ? 1 : 0);
}

}  // namespace

Message encode_vxlan(const VxlanSpec& spec) {
  nl::MessageWriter writer(RTM_NEWLINK, rtnl::request_flags(Verb::create));
  rtnl::begin_link(writer, spec.index, spec.name);
  rtnl::put_mtu(writer, spec.mtu);
  rtnl::put_mac(writer, spec.mac);
  rtnl::put_master(writer, spec.master);
  // The device is born there; its UDP socket stays in the namespace of the netlink socket.
  if (spec.netns_fd >= 0) writer.put_fd(IFLA_NET_NS_FD, spec.netns_fd);
  writer.nest(IFLA_LINKINFO, [&] {
    writer.put_text(IFLA_INFO_KIND, "vxlan");
    writer.nest(IFLA_INFO_DATA, [&] { put_vxlan_data(writer, spec); });
  });
  return writer.finish();
}

}  // namespace particle
