// SPDX-License-Identifier: Apache-2.0
/// Small strict text helpers shared by the parsers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace particle::base {

/// Decimal digits only: no sign, no space, no leading zero (except "0" itself). Nothing on
/// overflow.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

/// `text` in single quotes for an error message: unprintable bytes as \xNN, cut after 64 bytes.
std::string quoted(std::string_view text);

}  // namespace particle::base
