// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "adapter.hpp"
#include "etcd/etcd_kind.hpp"
#include "evpn/evpn_kind.hpp"
#include "static/static_kind.hpp"
#include "weave/weave_kind.hpp"

namespace particle::overlay {
namespace {

std::span<const AdapterKind* const> kinds() noexcept {
  static const std::array kKinds{&static_kind(), &evpn_kind(), &etcd_kind(), &weave_kind()};
  return kKinds;
}

}  // namespace

std::vector<const AdapterKind*> adapter_kinds() {
  return {kinds().begin(), kinds().end()};
}

Result<const AdapterKind*> find_adapter_kind(std::string_view name) {
  std::string known;
  for (const AdapterKind* kind : kinds()) {
    if (kind->capabilities->name == name) return kind;
    known += (known.empty() ? "" : ", ") + std::string(kind->capabilities->name);
  }
  return fail(
      Error::of(Errc::not_found, "overlay " + std::string(name), "the overlays are: " + known));
}

}  // namespace particle::overlay
