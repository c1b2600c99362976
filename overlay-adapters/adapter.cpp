// SPDX-License-Identifier: Apache-2.0
#include "adapter.hpp"

namespace particle::overlay {

Vtep vtep_of(const PoolInfo& pool) {
  return {.tenant = pool.tenant,
          .vni = pool.vni,
          .address = pool.vtep,
          .netns_path = pool.vtep_path,
          .bridge = pool.bridge,
          .vxlan = pool.vxlan};
}

std::string_view to_string(HealthState state) noexcept {
  switch (state) {
    case HealthState::ok:
      return "ok";
    case HealthState::degraded:
      return "degraded";
    case HealthState::failed:
      return "failed";
  }
  return "?";
}

std::optional<std::string> AdapterContext::setting(std::string_view name) const {
  const auto found = settings.find(std::string(name));
  if (found == settings.end()) return std::nullopt;
  return found->second;
}

}  // namespace particle::overlay
