// SPDX-License-Identifier: Apache-2.0
#include "etcd/keys.hpp"

namespace particle::overlay {

std::optional<EtcdKeys::Parts> EtcdKeys::split(std::string_view key) const {
  if (!key.starts_with(root_)) return std::nullopt;
  key.remove_prefix(root_.size());
  const auto cut = [&key] {
    const auto slash = key.find('/');
    std::string part(key.substr(0, slash));
    key.remove_prefix(slash == std::string_view::npos ? key.size() : slash + 1);
    return part;
  };
  Parts out;
  out.kind = cut();
  out.first = cut();
  out.rest = key;
  return out;
}

}  // namespace particle::overlay
