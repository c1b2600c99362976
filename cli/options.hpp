// SPDX-License-Identifier: Apache-2.0
/// How a verb declares itself and its options. Options take their values as text, so that a command
/// can name every wrong one at once (see input.hpp) instead of stopping at the first.
///
///     void add_show_pool(CLI::App& root, Context& context) {
///       auto args = std::make_shared<Args>();
///       CLI::App& verb = begin_verb(root, {"show-pool", "NAME", "Shows a pool.", "particle ..."});
///       add_value(verb, "NAME", args->name, "POOL", "the pool");
///       on_run(verb, context, args, run);
///     }
///
/// CLI11 is only named here, not included: it costs every file seconds of compile time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "context.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace particle::cli {

/// The texts of a verb; all of them reach --help, the manual page and docs/cli.md.
struct VerbText {
  std::string name;         ///< "create-pool"
  std::string synopsis;     ///< "NAME --tenant T --vni V ..."; several forms on lines of their own
  std::string description;  ///< sentences; paragraphs are separated by an empty line
  std::string examples;     ///< shell lines, comments begin with '#'
};

/// An option's value, and whether it was given at all: an empty value is not a missing one.
struct Value {
  std::string text;
  bool given = false;
  explicit operator bool() const noexcept { return given; }
};

/// Adds the subcommand with its help.
CLI::App& begin_verb(CLI::App& root, VerbText text);

/// An option with one value, or a positional argument where `name` has no dashes. `type` is what
/// help shows for the value; `a|b|c` names the choices, and completion knows POOL, TENANT, HOLDER,
/// FILE, DIR and DEV.
CLI::Option* add_value(CLI::App& verb, const std::string& name, Value& value,
                       const std::string& type, const std::string& help);

/// The same for an option that may be given several times, one value each time.
CLI::Option* add_values(CLI::App& verb, const std::string& name, std::vector<std::string>& values,
                        const std::string& type, const std::string& help);

/// The same, and each time with as many values as follow it.
CLI::Option* add_value_list(CLI::App& verb, const std::string& name,
                            std::vector<std::string>& values, const std::string& type,
                            const std::string& help);

CLI::Option* add_switch(CLI::App& verb, const std::string& name, bool& given,
                        const std::string& help);

/// Leaves `action` in `context.action` when `verb` was parsed.
void set_action(CLI::App& verb, Context& context, std::function<Result<int>()> action);

template <class Args>
void on_run(CLI::App& verb, Context& context, std::shared_ptr<Args> args,
            Result<int> (*run)(Context&, const Args&)) {
  set_action(verb, context,
             [&context, args = std::move(args), run] { return run(context, *args); });
}

}  // namespace particle::cli
