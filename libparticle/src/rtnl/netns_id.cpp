// SPDX-License-Identifier: Apache-2.0
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <particle/netns.hpp>

#include "rtnl/encode.hpp"

namespace particle {

Message encode_netns_id(int netns_fd, std::uint32_t id) {
  nl::MessageWriter writer(RTM_NEWNSID, NLM_F_REQUEST);
  writer.family_header<rtgenmsg>().rtgen_family = AF_UNSPEC;
  writer.put_fd(NETNSA_FD, netns_fd);
  writer.put_u32(NETNSA_NSID, id);
  return writer.finish();
}

Message encode_netns_id_query(std::uint32_t id) {
  nl::MessageWriter writer(RTM_GETNSID, NLM_F_REQUEST);
  writer.family_header<rtgenmsg>().rtgen_family = AF_UNSPEC;
  writer.put_u32(NETNSA_NSID, id);
  return writer.finish();
}

}  // namespace particle
