// SPDX-License-Identifier: Apache-2.0
#include <particle/addr.hpp>

#include <linux/if_addr.h>

#include "rtnl/encode.hpp"

namespace particle {
namespace {

/// An IPv4 host address makes no prefix route anyway (fib_add_ifaddr); an IPv6 one would.
std::uint32_t address_flags(const AddrSpec& spec) noexcept {
  const bool v4 = spec.address.is_v4();
  std::uint32_t flags = v4 ? 0U : std::uint32_t{IFA_F_NODAD};
  const bool would_route = !v4 || spec.prefix_length < spec.address.bits();
  if (spec.no_prefix_route && would_route) flags |= IFA_F_NOPREFIXROUTE;
  return flags;
}

}  // namespace

Message encode_addr(const AddrSpec& spec, Verb verb) {
  const bool remove = verb == Verb::remove;
  nl::MessageWriter writer(remove ? RTM_DELADDR : RTM_NEWADDR, rtnl::request_flags(verb));
  auto& header = writer.family_header<ifaddrmsg>();
  header.ifa_family = static_cast<std::uint8_t>(address_family(spec.address.family()));
  header.ifa_prefixlen = static_cast<std::uint8_t>(spec.prefix_length);
  header.ifa_index = spec.device.value;
  header.ifa_scope = spec.address.is_loopback() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  writer.put_address(IFA_LOCAL, spec.address);
  writer.put_address(IFA_ADDRESS, spec.address);
  const std::uint32_t flags = address_flags(spec);
  if (flags != 0 && !remove) writer.put_u32(IFA_FLAGS, flags);
  return writer.finish();
}

std::vector<Message> encode_addr_range(IfIndex device, const IpRange& range, Verb verb) {
  std::vector<Message> messages;
  const std::uint64_t size = range.size();
  messages.reserve(size);
  AddrSpec spec{device, range.first(), range.first().bits(), true};
  for (std::uint64_t i = 0; i < size; ++i) {
    spec.address = range.at(i);
    messages.push_back(encode_addr(spec, verb));
  }
  return messages;
}

}  // namespace particle
