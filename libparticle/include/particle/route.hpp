// SPDX-License-Identifier: Apache-2.0
/// Routes. Kernel: net/ipv4/fib_frontend.c:inet_rtm_newroute, net/ipv6/route.c:inet6_rtm_newroute.
#pragma once

#include <cstdint>
#include <optional>

#include <particle/ip.hpp>
#include <particle/message.hpp>
#include <particle/types.hpp>

namespace particle {

enum class RouteKind : std::uint8_t {
  unicast,
  local,  ///< AnyIP: every address of the prefix is this host's (table local)
};

struct RouteSpec {
  IpPrefix destination;
  IfIndex device;
  RouteKind kind = RouteKind::unicast;
  std::optional<IpAddress> gateway;
  bool onlink = false;  ///< RTNH_F_ONLINK: trust that the gateway is on the device
  std::optional<IpAddress> preferred_source;
};

Message encode_route(const RouteSpec& spec, Verb verb = Verb::create);

}  // namespace particle
