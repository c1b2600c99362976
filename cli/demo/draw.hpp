// SPDX-License-Identifier: Apache-2.0
/// Characters and columns for the demo's report. Pure, but for Pen::of_environment().
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace particle::cli::demo {

/// Box characters: UTF-8 where the locale says so, ASCII elsewhere.
struct Pen {
  std::string_view horizontal = "-";
  std::string_view vertical = "|";
  std::string_view top_left = "+";
  std::string_view top_right = "+";
  std::string_view bottom_left = "+";
  std::string_view bottom_right = "+";
  std::string_view tee_left = "+";   ///< a line leaves to the left
  std::string_view tee_right = "+";  ///< a line leaves to the right
  std::string_view yes = "ok ";
  std::string_view no = "NO ";
  std::string_view times = "x";

  static Pen utf8();
  static Pen of_environment();
};

std::string repeat(std::string_view text, std::size_t count);
std::string pad_right(std::string text, std::size_t width);
std::string pad_left(std::string text, std::size_t width);
/// `most_digits` after the point below 100, one below 1000, none above; thousands set apart.
std::string number(double value, int most_digits = 2);
std::string in_ms(std::chrono::nanoseconds time);

}  // namespace particle::cli::demo
