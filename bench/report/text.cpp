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

std::string brief(double value) {
  const double size = std::abs(value);
  if (size >= 1000) {
    return (value < 0 ? "-" : "") + grouped(static_cast<std::uint64_t>(std::llround(size)));
  }
  if (size > 0 && size < 0.095) return fixed(value, size < 0.00095 ? 5 : size < 0.0095 ? 4 : 3);
  return fixed(value, size < 10 ? 2 : size < 100 ? 1 : 0);
}

std::string duration(double ms) {
  return ms < 1000 ? brief(ms) + " ms" : brief(ms / 1000) + " s";
}

std::string range_like(double ms, double low, double high) {
  const double unit = ms < 1000 ? 1 : 1000;
  return brief(low / unit) + "–" + brief(high / unit);
}

}  // namespace particle::bench
