// SPDX-License-Identifier: Apache-2.0
#include <particle/neigh.hpp>

#include <linux/neighbour.h>
#include <sys/socket.h>

#include "rtnl/encode.hpp"

namespace particle {

Message encode_fdb(const FdbSpec& spec, Verb verb) {
  nl::MessageWriter writer(verb == Verb::remove ? RTM_DELNEIGH : RTM_NEWNEIGH,
                           rtnl::request_flags(verb));
  auto& header = writer.family_header<ndmsg>();
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = rtnl::kernel_index(spec.device);
  if (spec.remote) {
    header.ndm_flags = NTF_SELF;
    header.ndm_state = NUD_NOARP | NUD_PERMANENT;
  } else {
    // A bridge takes NUD_PERMANENT for an address of its own, NUD_NOARP for a static entry.
    header.ndm_flags = NTF_MASTER;
    header.ndm_state = NUD_NOARP;
  }
  writer.put_mac(NDA_LLADDR, spec.mac);
  if (spec.remote) writer.put_address(NDA_DST, *spec.remote);
  return writer.finish();
}

}  // namespace particle
