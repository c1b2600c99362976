// SPDX-License-Identifier: Apache-2.0
#include "evpn/evpn_kind.hpp"

#include <array>

namespace particle::overlay {
namespace {

constexpr Capabilities kEvpnCapabilities{
    .name = "evpn", .announces = true, .live = true, .withdraws_the_dead = true};
constexpr std::array kEvpnSettings{
    Setting{.name = "evpn-vtysh", .type = "FILE", .help = "FRR's vtysh; default: the one in PATH"},
    Setting{.name = "evpn-vty-sockets",
            .type = "DIR",
            .help = "where FRR's vty sockets are; default: vtysh's own, /var/run/frr"},
    Setting{.name = "evpn-grace",
            .type = "SECONDS",
            .help = "how long a BGP neighbour may be missing before what it announced is removed; "
                    "default: 60"}};

}  // namespace

const AdapterKind& evpn_kind() noexcept {
  static constexpr AdapterKind kKind{.capabilities = &kEvpnCapabilities,
                                     .summary = "BGP EVPN through FRR on this node",
                                     .settings = kEvpnSettings};
  return kKind;
}

}  // namespace particle::overlay
