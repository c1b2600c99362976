// SPDX-License-Identifier: Apache-2.0
#include <particle/route.hpp>

#include "rtnl/encode.hpp"

namespace particle {
namespace {

/// Marks our routes as an administrator's, so that routing daemons leave them alone.
constexpr std::uint8_t kRouteProtocol = RTPROT_STATIC;

std::uint8_t scope_of(const RouteSpec& spec) noexcept {
  if (!spec.destination.network().is_v4()) return RT_SCOPE_UNIVERSE;  // IPv6 knows no other
  if (spec.kind == RouteKind::local) return RT_SCOPE_HOST;
  return spec.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
}

void fill_header(rtmsg& header, const RouteSpec& spec) noexcept {
  const bool local = spec.kind == RouteKind::local;
  header.rtm_family = static_cast<std::uint8_t>(address_family(spec.destination.family()));
  header.rtm_dst_len = static_cast<std::uint8_t>(spec.destination.length());
  header.rtm_table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
  header.rtm_protocol = kRouteProtocol;
  header.rtm_scope = scope_of(spec);
  header.rtm_type = local ? RTN_LOCAL : RTN_UNICAST;
  if (spec.onlink) header.rtm_flags = RTNH_F_ONLINK;
}

}  // namespace

Message encode_route(const RouteSpec& spec, Verb verb) {
  nl::MessageWriter writer(verb == Verb::remove ? RTM_DELROUTE : RTM_NEWROUTE,
                           rtnl::request_flags(verb));
  fill_header(writer.family_header<rtmsg>(), spec);
  if (spec.destination.length() != 0) writer.put_address(RTA_DST, spec.destination.network());
  if (spec.device.valid()) writer.put_u32(RTA_OIF, spec.device.value);
  if (spec.gateway) writer.put_address(RTA_GATEWAY, *spec.gateway);
  if (spec.preferred_source) writer.put_address(RTA_PREFSRC, *spec.preferred_source);
  return writer.finish();
}

}  // namespace particle
