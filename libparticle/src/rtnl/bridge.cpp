// SPDX-License-Identifier: Apache-2.0
#include <linux/if_link.h>

#include <particle/link.hpp>

#include "rtnl/encode.hpp"

namespace particle {

Message encode_bridge(const BridgeSpec& spec) {
  nl::MessageWriter writer(RTM_NEWLINK, rtnl::request_flags(Verb::create));
  rtnl::begin_link(writer, spec.index, spec.name);
  rtnl::put_mtu(writer, spec.mtu);
  rtnl::put_mac(writer, spec.mac);
  writer.nest(IFLA_LINKINFO, [&] {
    writer.put_text(IFLA_INFO_KIND, "bridge");
    writer.nest(IFLA_INFO_DATA, [&] {
      writer.put_u32(IFLA_BR_STP_STATE, 0);
      // Without a querier, snooping would cut the IPv6 neighbour discovery between ports.
      writer.put_u8(IFLA_BR_MCAST_SNOOPING, 0);
    });
  });
  return writer.finish();
}

}  // namespace particle
