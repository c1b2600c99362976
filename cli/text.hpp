// SPDX-License-Identifier: Apache-2.0
/// Pure text helpers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace particle::cli {

/// Breaks at spaces so that no line is longer than `width`; keeps line breaks that are there.
std::string wrap(std::string_view text, std::size_t width);
/// The same for a usage line: `[--option VALUE]` stays on one line.
std::string wrap_synopsis(std::string_view text, std::size_t width);
/// Every line moved right; ends with a line break.
std::string indent(std::string_view text, std::size_t columns);
std::string indent_after_first(std::string_view text, std::size_t columns);

std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// "a", "a and b", "a, b and c".
std::string join_words(const std::vector<std::string>& parts);
/// "1 endpoint", "2 endpoints".
std::string counted(std::uint64_t count, std::string_view noun);
/// A shell word: quoted where it needs to be, shortened where it is very long, no control bytes.
std::string shown(std::string_view value);
/// Milliseconds with three digits after the point at most.
std::string format_ms(double ms);

/// Decimal digits only.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// The candidate that `word` was probably meant to be, or nothing when none is close.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace particle::cli
