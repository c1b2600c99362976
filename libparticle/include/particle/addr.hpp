// SPDX-License-Identifier: Apache-2.0
/// Addresses on a device. Kernel: net/ipv4/devinet.c:inet_rtm_newaddr, net/ipv6/addrconf.c:inet6_rtm_newaddr.
#pragma once

#include <vector>

#include <particle/ip.hpp>
#include <particle/message.hpp>
#include <particle/types.hpp>

namespace particle {

struct AddrSpec {
  IfIndex device;
  IpAddress address;
  unsigned prefix_length = 32;
  /// The address makes no prefix route (IFA_F_NOPREFIXROUTE). Whatever it says, no IPv6 address
  /// waits for DAD (IFA_F_NODAD), which alone costs 2 s.
  bool no_prefix_route = true;
};

Message encode_addr(const AddrSpec& spec, Verb verb = Verb::create);
/// One message per address of the range, each a host address (/32 or /128).
std::vector<Message> encode_addr_range(IfIndex device, const IpRange& range,
                                       Verb verb = Verb::create);

}  // namespace particle
