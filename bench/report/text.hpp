// SPDX-License-Identifier: Apache-2.0
/// Numbers and text for the page. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace particle::bench {

/// Safe as HTML text and inside a quoted attribute.
std::string escaped(std::string_view text);
/// With a point and so many digits after it, whatever the locale.
std::string fixed(double value, int digits);
/// "2.05 ms", "167 ms", "5.85 s".
std::string duration(double ms);
/// "5.77–5.93", in the unit that duration() gives `ms`.
std::string range_like(double ms, double low, double high);
/// About three figures: "2.05", "41.2", "1,232".
std::string brief(double value);
/// "65,000".
std::string grouped(std::uint64_t value);

}  // namespace particle::bench
