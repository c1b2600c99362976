// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "adapter.hpp"
#include "static/static_adapter.hpp"

namespace particle::overlay {
namespace {

std::span<const AdapterKind* const> kinds() noexcept {
  static const std::array kKinds{&static_adapter_kind()};
  return kKinds;
}

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

Result<std::unique_ptr<Adapter>> make_adapter(std::string_view name,
                                              const AdapterContext& context) {
  auto kind = find_adapter_kind(name);
  if (!kind) return fail(std::move(kind.error()));
  if (auto ok = check_settings(**kind, context); !ok) return fail(std::move(ok.error()));
  return (*kind)->make(context);
}

}  // namespace particle::overlay
