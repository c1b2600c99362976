// SPDX-License-Identifier: Apache-2.0
#include <particle/neigh.hpp>

#include <linux/neighbour.h>

#include "rtnl/encode.hpp"

namespace particle {

Message encode_neigh(const NeighSpec& spec, Verb verb) {
  nl::MessageWriter writer(verb == Verb::remove ? RTM_DELNEIGH : RTM_NEWNEIGH,
                           rtnl::request_flags(verb));
  auto& header = writer.family_header<ndmsg>();
  header.ndm_family = static_cast<std::uint8_t>(address_family(spec.address.family()));
  header.ndm_ifindex = rtnl::kernel_index(spec.device);
  header.ndm_state = NUD_PERMANENT;
  writer.put_address(NDA_DST, spec.address);
  writer.put_mac(NDA_LLADDR, spec.mac);
  return writer.finish();
}

}  // namespace particle
