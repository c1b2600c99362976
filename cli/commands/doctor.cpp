// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <nlohmann/json.hpp>

#include <particle/probe.hpp>

#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "options.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {};

std::string mark(ProbeState state, const Style& style) {
  switch (state) {
    case ProbeState::ok:
      return style.good("ok     ");
    case ProbeState::no:
      return style.bad("no     ");
    case ProbeState::unknown:
      return style.warn("unknown");
  }
  return "?";
}

std::string describe(const ProbeResult& probe, std::size_t name_width, const Style& style) {
  constexpr std::size_t kMarkWidth = 9;
  std::string name = probe.name;
  name.resize(name_width + 2, ' ');
  std::string text = mark(probe.state, style) + "  " + name + probe.purpose;
  if (!probe.detail.empty()) {
    text += " (" + probe.detail + ")";
  }
  text += "\n";
  if (!probe.advice.empty()) {
    text += std::string(kMarkWidth + name_width + 2, ' ') + "-> " + probe.advice;
    if (!probe.minimum_kernel.empty()) {
      text += " (Linux " + probe.minimum_kernel + " or newer)";
    }
    text += "\n";
  }
  return text;
}

nlohmann::json to_json(const ProbeResult& probe) {
  return {{"name", probe.name},
          {"purpose", probe.purpose},
          {"state", to_string(probe.state)},
          {"detail", probe.detail},
          {"advice", probe.advice},
          {"minimum_kernel", probe.minimum_kernel},
          {"essential", probe.essential}};
}

std::string verdict(const std::vector<std::string>& lacking, const Style& style) {
  if (lacking.empty()) {
    return style.good("create-pool can work here") + "\n";
  }
  return style.bad("create-pool cannot work here") + ": " + join_words(lacking) +
         (lacking.size() == 1 ? " is" : " are") + " needed\n";
}

Result<int> run(Context& context, const Args& /*args*/) {
  ProbeOptions options;
  options.run_dir = context.run_dir;
  const std::vector<ProbeResult> probes = probe_system(options);
  std::vector<std::string> lacking;
  std::size_t width = 0;
  for (const ProbeResult& probe : probes) {
    width = std::max(width, probe.name.size());
    if (probe.essential && probe.state != ProbeState::ok) {
      lacking.push_back(probe.name);
    }
  }
  if (context.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const ProbeResult& probe : probes) {
      list.push_back(to_json(probe));
    }
    print_json({{"can_create_pools", lacking.empty()}, {"lacking", lacking}, {"probes", list}});
  } else {
    const Style style = Style::of_stdout(context);
    for (const ProbeResult& probe : probes) {
      print(describe(probe, width, style));
    }
    print("\n" + verdict(lacking, style));
  }
  return lacking.empty() ? kExitOk : kExitUnsupported;
}

}  // namespace

void add_doctor(CLI::App& root, Context& context) {
  CLI::App& verb = begin_verb(
      root,
      {"doctor", "",
       "Tries what this kernel and this user can do, on scratch namespaces that are gone "
       "afterwards, and says for each `no` what to do about it. Exits with 0 when create-pool "
       "can work here and with 6 when it cannot.",
       "particle doctor\n"
       "\n"
       "# What is missing, for a script:\n"
       "particle doctor --json | jq -r '.probes[] | select(.state != \"ok\") | .name'\n"});
  on_run(verb, context, std::make_shared<Args>(), run);
}

}  // namespace particle::cli
