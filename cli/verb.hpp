// SPDX-License-Identifier: Apache-2.0
/// The CLI11 side of options.hpp.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "options.hpp"

namespace particle::cli {

/// The global options, which every verb takes before and after its name.
void add_global_options(CLI::App& root, Context& context);

/// The texts of a verb that begin_verb() added.
const VerbText& text_of(const CLI::App& verb);

/// The help of one verb, for 88 columns.
std::string help_of(const CLI::App& verb, const CLI::App& root);

}  // namespace particle::cli
