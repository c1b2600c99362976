// SPDX-License-Identifier: Apache-2.0
// Apart from registry.cpp, so that a program which only names the overlays links none of them.
#include <algorithm>
#include <array>

#include "adapter.hpp"
#include "etcd/etcd_adapter.hpp"
#include "evpn/evpn_adapter.hpp"
#include "static/static_adapter.hpp"
#include "weave/weave_adapter.hpp"

namespace particle::overlay {
namespace {

struct Maker {
  std::string_view name;
  Result<std::unique_ptr<Adapter>> (*make)(const AdapterContext& context);
};
constexpr std::array kMakers{
    Maker{"static", &make_static_adapter},
    Maker{"evpn", &make_evpn_adapter},
    Maker{"etcd", &make_etcd_adapter},
    Maker{"weave", &make_weave_adapter},
};

Error wrong(std::string what, std::string hint) {
  return Error::of(Errc::invalid_argument, std::move(what), std::move(hint));
}

/// Every required setting is there, and every one that is there is the kind's.
Result<void> check_settings(const AdapterKind& kind, const AdapterContext& context) {
  const std::string name(kind.capabilities->name);
  for (const Setting& setting : kind.settings) {
    if (setting.required && !context.setting(setting.name)) {
      return fail(wrong("overlay " + name + " needs --" + std::string(setting.name) + " " +
                            std::string(setting.type),
                        std::string(setting.help)));
    }
  }
  for (const auto& [given, value] : context.settings) {
    const bool known = std::any_of(kind.settings.begin(), kind.settings.end(),
                                   [&](const Setting& setting) { return setting.name == given; });
    if (!known) {
      return fail(wrong("--" + given + " is not a setting of overlay " + name,
                        "`particle agent --help` says which overlay it belongs to"));
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Adapter>> make_adapter(std::string_view name,
                                              const AdapterContext& context) {
  auto kind = find_adapter_kind(name);
  if (!kind) return fail(std::move(kind.error()));
  if (auto ok = check_settings(**kind, context); !ok) return fail(std::move(ok.error()));
  const auto* maker = std::find_if(kMakers.begin(), kMakers.end(),
                                   [&](const Maker& one) { return one.name == name; });
  return maker->make(context);
}

}  // namespace particle::overlay
