// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "completion_scripts.hpp"
#include "input.hpp"
#include "options.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value shell;
};

std::optional<std::string_view> script_for(std::string_view shell) {
  if (shell == "bash") {
    return kBashCompletion;
  }
  if (shell == "zsh") {
    return kZshCompletion;
  }
  if (shell == "fish") {
    return kFishCompletion;
  }
  return std::nullopt;
}

Result<int> run(Context& context, const Args& args) {
  Input input;
  const auto script = script_for(args.shell.text);
  if (input.require("bash|zsh|fish", args.shell) && !script) {
    input.invalid("shell " + shown(args.shell.text), "one of bash, zsh and fish");
  }
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  if (context.json) {
    print_json({{"shell", args.shell.text}, {"script", *script}});
  } else {
    print(*script);
  }
  return 0;
}

}  // namespace

void add_completion(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"completion", "bash|zsh|fish",
       "Prints the completion script of a shell: verbs, options, and the names of pools, tenants "
       "and holders. Packages install the same scripts.",
       "# This shell only:\n"
       "source <(particle completion bash)\n"
       "\n"
       "# For good:\n"
       "particle completion zsh > \"${fpath[1]}/_particle\"\n"
       "particle completion fish > ~/.config/fish/completions/particle.fish\n"});
  add_value(verb, "SHELL", args->shell, "bash|zsh|fish", "The shell");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
