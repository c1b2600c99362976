// SPDX-License-Identifier: Apache-2.0
#include "report/text.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace particle::bench {

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string grouped(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

namespace {

/// Digits after the point for about three figures, two of values below a tenth.
int digits_for(double size) {
  if (size >= 100) return 0;
  if (size >= 10) return 1;
  int digits = 2;
  for (double limit = 0.095; size > 0 && digits < 5 && size < limit; limit /= 10) ++digits;
  return digits;
}

}  // namespace

std::string brief(double value) {
  const double size = std::abs(value);
  if (size >= 1000) {
    return (value < 0 ? "-" : "") + grouped(static_cast<std::uint64_t>(std::llround(size)));
  }
  return fixed(value, digits_for(size));
}

std::string duration(double ms) {
  return ms < 1000 ? brief(ms) + " ms" : brief(ms / 1000) + " s";
}

std::string range_like(double ms, double low, double high) {
  const double unit = ms < 1000 ? 1 : 1000;
  return brief(low / unit) + "–" + brief(high / unit);
}

}  // namespace particle::bench
