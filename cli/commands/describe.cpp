// SPDX-License-Identifier: Apache-2.0
// Hidden: the whole command line as JSON. cli/tools/reference.py turns it into the manual pages,
// docs/cli.md and the completion scripts, so that all of them say what --help says.
#include <nlohmann/json.hpp>

#include <particle/version.hpp>

#include "app.hpp"
#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "output.hpp"
#include "verb.hpp"

namespace particle::cli {
namespace {

using Json = nlohmann::json;

struct Args {};

Json option_to_json(const CLI::Option& option) {
  const bool flag = option.get_items_expected_max() == 0;
  Json names = Json::array();
  for (const std::string& name : option.get_snames()) {
    names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    names.push_back("--" + name);
  }
  return {{"names", names},
          {"positional", option.get_positional() ? Json(option.get_name(true)) : Json(nullptr)},
          {"value", flag ? Json(nullptr) : Json(option.get_type_name())},
          {"repeated", option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll},
          {"help", option.get_description()}};
}

Json options_to_json(const CLI::App& app) {
  Json out = Json::array();
  for (const CLI::Option* option : app.get_options()) {
    out.push_back(option_to_json(*option));
  }
  return out;
}

Json verb_to_json(const VerbEntry& entry) {
  CLI::App root;
  Context context;
  entry.add(root, context);
  const CLI::App& verb = *root.get_subcommand(std::string(entry.name));
  const VerbText& text = text_of(verb);
  return {{"name", entry.name},
          {"group", entry.group},
          {"summary", entry.summary},
          {"synopsis", text.synopsis},
          {"examples", text.examples},
          {"description", text.description},
          {"options", options_to_json(verb)}};
}

Result<int> run(Context& /*context*/, const Args& /*args*/) {
  Json list = Json::array();
  for (const VerbEntry& entry : verbs()) {
    if (!entry.group.empty()) {
      list.push_back(verb_to_json(entry));
    }
  }
  Json codes = Json::array();
  for (const ExitCode& entry : exit_codes()) {
    codes.push_back({{"code", entry.code}, {"meaning", entry.meaning}});
  }
  CLI::App root;
  Context context;
  add_global_options(root, context);
  print_json({{"version", kVersion},
              {"global_options", options_to_json(root)},
              {"verbs", list},
              {"exit_codes", codes}});
  return 0;
}

}  // namespace

void add_describe(CLI::App& root, Context& context) {
  CLI::App& verb = begin_verb(root, {"__describe", "", "Describes the command line as JSON.", ""});
  on_run(verb, context, std::make_shared<Args>(), run);
}

}  // namespace particle::cli
