// SPDX-License-Identifier: Apache-2.0
/// Wrong command lines, in our words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include <particle/error.hpp>

namespace particle::cli {

/// What CLI11 refused, naming the option and the value and suggesting the nearest one.
Error usage_error(const CLI::ParseError& error, const CLI::App& root, const std::string& verb);
Error unknown_verb(std::string_view word, const std::vector<std::string>& verbs);
Error missing_verb();

}  // namespace particle::cli
