// SPDX-License-Identifier: Apache-2.0
/// The versions of the CNI specification that this plugin speaks.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace particle::cni {

enum class Version : unsigned { v0_3_0, v0_3_1, v0_4_0, v1_0_0, v1_1_0 };

inline constexpr std::array<std::string_view, 5> kVersions{"0.3.0", "0.3.1", "0.4.0", "1.0.0",
                                                           "1.1.0"};
inline constexpr std::string_view kNewestVersion = kVersions.back();

constexpr std::string_view to_string(Version version) noexcept {
  return kVersions[static_cast<unsigned>(version)];
}

constexpr std::optional<Version> find_version(std::string_view text) noexcept {
  for (unsigned i = 0; i < kVersions.size(); ++i) {
    if (kVersions[i] == text) return static_cast<Version>(i);
  }
  return std::nullopt;
}

}  // namespace particle::cni
