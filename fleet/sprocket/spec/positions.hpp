// SPDX-License-Identifier: Apache-2.0
/// Where in a JSON text its values stand: nlohmann's values do not know.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle::sprocket {

struct Positions {
  std::map<std::string, std::uint64_t> lines;  ///< by JSON pointer; a member's is its key's line
  std::vector<std::pair<std::uint64_t, std::string>> repeated;  ///< line, key: given twice
  /// Of the value, or of the nearest one around it.
  [[nodiscard]] std::uint64_t line_of(std::string pointer) const;
};

/// Errors: invalid_argument with the line of what is not JSON.
Result<Positions> find_positions(std::string_view text, const std::string& name);

}  // namespace particle::sprocket
