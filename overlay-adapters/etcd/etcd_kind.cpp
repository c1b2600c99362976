// SPDX-License-Identifier: Apache-2.0
#include "etcd/etcd_kind.hpp"

#include "etcd/settings.hpp"

namespace particle::overlay {
namespace {

constexpr Capabilities kEtcdCapabilities{.name = "etcd",
                                         .announces = true,
                                         .live = true,
                                         .withdraws_the_dead = true,
                                         .ipv6_underlay = true};

}  // namespace

const AdapterKind& etcd_kind() noexcept {
  static const AdapterKind kKind{
      .capabilities = &kEtcdCapabilities,
      .summary = "nodes register their pools in etcd and watch the others'",
      .settings = etcd_settings()};
  return kKind;
}

}  // namespace particle::overlay
