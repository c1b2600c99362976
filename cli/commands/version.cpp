// SPDX-License-Identifier: Apache-2.0
#include <particle/version.hpp>

#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "options.hpp"
#include "output.hpp"

namespace particle::cli {
namespace {

struct Args {};

Result<int> run(Context& context, const Args& /*args*/) {
  if (context.json) {
    print_json({{"name", "particle"},
                {"version", kVersion},
                {"major", kVersionMajor},
                {"minor", kVersionMinor},
                {"patch", kVersionPatch}});
  } else {
    print(std::string("particle ") + kVersion + "\n");
  }
  return 0;
}

}  // namespace

void add_version(CLI::App& root, Context& context) {
  CLI::App& verb = begin_verb(
      root, {"version", "", "Prints the version.", "particle version\nparticle version --json\n"});
  on_run(verb, context, std::make_shared<Args>(), run);
}

}  // namespace particle::cli
