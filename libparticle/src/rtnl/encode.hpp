// SPDX-License-Identifier: Apache-2.0
/// What the encoders of one kind each have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <linux/rtnetlink.h>

#include <particle/message.hpp>
#include <particle/types.hpp>

#include "nl/writer.hpp"

namespace particle::rtnl {

/// NLM_F_* for what the verb asks.
constexpr std::uint16_t request_flags(Verb verb) noexcept {
  switch (verb) {
    case Verb::create:
      return NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
    case Verb::replace:
      return NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    case Verb::remove:
      return NLM_F_REQUEST;
  }
  return NLM_F_REQUEST;
}

constexpr int kernel_index(IfIndex index) noexcept {
  return static_cast<int>(index.value);
}

/// The ifinfomsg of a link that is to be created, and its name.
inline void begin_link(nl::MessageWriter& writer, IfIndex index, std::string_view name) {
  writer.family_header<ifinfomsg>().ifi_index = kernel_index(index);
  writer.put_text(IFLA_IFNAME, name);
}

inline void put_mtu(nl::MessageWriter& writer, const std::optional<Mtu>& mtu) {
  if (mtu) writer.put_u32(IFLA_MTU, mtu->value());
}

inline void put_mac(nl::MessageWriter& writer, const std::optional<Mac>& mac) {
  if (mac) writer.put_mac(IFLA_ADDRESS, *mac);
}

inline void put_master(nl::MessageWriter& writer, const std::optional<IfIndex>& master) {
  if (master) writer.put_u32(IFLA_MASTER, master->value);
}

}  // namespace particle::rtnl
