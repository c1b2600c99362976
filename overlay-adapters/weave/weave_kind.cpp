// SPDX-License-Identifier: Apache-2.0
#include "weave/weave_kind.hpp"

#include <array>

namespace particle::overlay {
namespace {

constexpr Capabilities kWeaveCapabilities{.name = "weave", .live = true, .ipv6_underlay = false};
constexpr std::array kWeaveSettings{
    Setting{.name = "weave-tenant",
            .type = "TENANT",
            .help = "The tenant whose pools have addresses of Weave's IPAM",
            .required = true},
    Setting{.name = "weave-url",
            .type = "URL",
            .help = "Where Weave's router answers (default: http://127.0.0.1:6784)"}};

}  // namespace

const AdapterKind& weave_kind() noexcept {
  static constexpr AdapterKind kKind{
      .capabilities = &kWeaveCapabilities,
      .summary =
          "nodes and address ranges as Weave Net's router and IPAM have them (not run against "
          "a live Weave)",
      .settings = kWeaveSettings};
  return kKind;
}

}  // namespace particle::overlay
