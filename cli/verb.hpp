// SPDX-License-Identifier: Apache-2.0
/// How a verb enters the CLI11 tree. Options take their values as text, so that a command can name
/// every wrong one at once (see input.hpp) instead of stopping at the first.
///
///     void add_show_pool(CLI::App& root, Context& context) {
///       auto args = std::make_shared<Args>();
///       CLI::App& verb = begin_verb(root, "show-pool", "POOL", "...");
///       verb.add_option("pool", args->pool, "the pool's name")->type_name("POOL");
///       on_run(verb, context, args, run);
///     }
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "context.hpp"

namespace particle::cli {

/// The texts of a verb; all of them reach --help, the manual page and docs/cli.md.
struct VerbText {
  std::string name;         ///< "create-pool"
  std::string synopsis;     ///< "NAME --tenant T --vni V ..."
  std::string description;  ///< sentences
  std::string examples;     ///< one command per line, comments begin with '#'
};

/// Adds the subcommand, with its help text. Its one-line summary comes from the verb table.
CLI::App& begin_verb(CLI::App& root, const VerbText& text);

/// An option that may be given several times, one value each time.
CLI::Option* add_repeated(CLI::App& verb, const std::string& name, std::vector<std::string>& values,
                          const std::string& help);

/// Leaves `run(context, *args)` in `context.action` when `verb` was parsed.
template <class Args>
void on_run(CLI::App& verb, Context& context, std::shared_ptr<Args> args,
            Result<int> (*run)(Context&, const Args&)) {
  verb.callback([&context, args = std::move(args), run] {
    context.action = [&context, args, run] { return run(context, *args); };
  });
}

/// The texts of a verb that begin_verb() added.
const VerbText& text_of(const CLI::App& verb);

/// The help of one verb, wrapped at 80 columns.
std::string help_of(const CLI::App& verb);

}  // namespace particle::cli
