// SPDX-License-Identifier: Apache-2.0
#include "demo/draw.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "steps.hpp"

namespace particle::cli::demo {
namespace {

/// Characters, not bytes.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

}  // namespace

Pen Pen::utf8() {
  Pen pen;
  pen.horizontal = "─";
  pen.vertical = "│";
  pen.top_left = "┌";
  pen.top_right = "┐";
  pen.bottom_left = "└";
  pen.bottom_right = "┘";
  pen.tee_left = "┤";
  pen.tee_right = "├";
  pen.yes = "✓ ";
  pen.no = "✗ ";
  pen.times = "×";
  return pen;
}

Pen Pen::of_environment() {
  // The order in which setlocale(3) looks.
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    const bool utf8 = locale.find("UTF-8") != std::string_view::npos ||
                      locale.find("utf8") != std::string_view::npos;
    return utf8 ? Pen::utf8() : Pen{};
  }
  return {};
}

std::string repeat(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::string pad_right(std::string text, std::size_t width) {
  const std::size_t have = width_of(text);
  if (have < width) text.append(width - have, ' ');
  return text;
}

std::string pad_left(std::string text, std::size_t width) {
  const std::size_t have = width_of(text);
  if (have < width) text.insert(0, width - have, ' ');
  return text;
}

std::string number(double value, int most_digits) {
  std::array<char, 64> buffer{};
  int digits = value < 1000 ? 1 : 0;
  if (value < 100) digits = most_digits;
  std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
  std::string text = buffer.data();
  const std::size_t point = std::min(text.find('.'), text.size());
  for (std::size_t at = point; at > 3; at -= 3) text.insert(at - 3, 1, ' ');
  return text;
}

std::string in_ms(std::chrono::nanoseconds time) {
  return number(to_ms(time));
}

}  // namespace particle::cli::demo
