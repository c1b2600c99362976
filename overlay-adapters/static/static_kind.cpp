// SPDX-License-Identifier: Apache-2.0
#include "static/static_kind.hpp"

#include <array>

namespace particle::overlay {
namespace {

constexpr Capabilities kStaticCapabilities{.name = "static", .ipv6_underlay = true};
constexpr std::array kStaticSettings{
    Setting{.name = "peers",
            .type = "FILE",
            .help = "A JSON list of announcements: which pools there are on which nodes",
            .required = true}};

}  // namespace

const AdapterKind& static_kind() noexcept {
  static constexpr AdapterKind kKind{.capabilities = &kStaticCapabilities,
                                     .summary = "the peers that a file lists, reread on SIGHUP",
                                     .settings = kStaticSettings};
  return kKind;
}

}  // namespace particle::overlay
