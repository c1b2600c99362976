// SPDX-License-Identifier: Apache-2.0
/// Which address and device of the node the VTEP is to use.
#pragma once

#include <optional>
#include <string>

#include <particle/netns.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>
#include <particle/types.hpp>

#include "pool/observe.hpp"

namespace particle {

struct UnderlayFacts {
  IpAddress address;
  std::string device;
  std::optional<IfIndex> bound;  ///< set when the device was asked for by name
  Mtu pool_mtu;                  ///< the device's MTU less the encapsulation
};

/// IPv4: 20 IP + 8 UDP + 8 VXLAN + 14 inner Ethernet; IPv6: 20 more.
constexpr std::uint32_t encapsulation_overhead(Family underlay) {
  return underlay == Family::v4 ? 50 : 70;
}

/// Pure. Errors: not_found (no such device or address), invalid_argument (down, without an address,
/// MTU too small, or several candidates), each with the candidates or the mend as hint.
Result<UnderlayFacts> choose_underlay(const Underlay& asked, const ObservedNamespace& node,
                                      std::optional<IfIndex> default_route);
Result<UnderlayFacts> find_underlay(const Underlay& asked, const NetNs& node);

}  // namespace particle
