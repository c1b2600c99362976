// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "harness/design.hpp"
#include "output.hpp"
#include "text.hpp"
#include "verb.hpp"

namespace particle::cli {
namespace {

struct Args {};

constexpr std::size_t kWidth = 88;

nlohmann::json to_json(const bench::Design& design) {
  return {{"name", design.name},
          {"title", design.title},
          {"what", design.what},
          {"paper", design.paper},
          {"most", design.most},
          {"limit", design.limit},
          {"missing", bench::missing_for(design)},
          {"kind", design.kind == bench::Kind::containers ? "containers" : "endpoints"}};
}

std::string to_text(const bench::Design& design, const Style& style) {
  std::string out = style.bold(std::string(design.name)) + "\n";
  out += indent(wrap(design.what, kWidth - 2), 2);
  if (!design.paper.empty())
    out += indent(wrap("In the paper: " + std::string(design.paper) + ".", kWidth - 2), 2);
  out +=
      indent(wrap("Up to " + std::to_string(design.most) +
                      (design.kind == bench::Kind::containers ? " containers: " : " endpoints: ") +
                      std::string(design.limit) + ".",
                  kWidth - 2),
             2);
  if (const auto missing = bench::missing_for(design); !missing.empty()) {
    out += indent(wrap("Cannot run here: " + missing, kWidth - 2), 2);
  }
  return out;
}

Result<int> run(Context& context, const Args& /*args*/) {
  if (context.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& design : bench::designs()) list.push_back(to_json(design));
    print_json({{"designs", list}});
    return kExitOk;
  }
  const Style style = Style::of_stdout(context);
  std::string out;
  for (const auto& design : bench::designs()) {
    out += (out.empty() ? "" : "\n") + to_text(design, style);
  }
  print(out);
  return kExitOk;
}

}  // namespace

void add_bench_list(CLI::App& root, Context& context) {
  CLI::App& verb = begin_verb(
      root, {"bench-list", "",
             "Lists the designs that `particle bench` measures: what each makes, what it is in the "
             "paper, and up to how many endpoints it is measured. `particle bench list` is the "
             "same.",
             "particle bench list\n"
             "particle bench list --json | jq -r '.designs[].name'\n"});
  on_run(verb, context, std::make_shared<Args>(), run);
}

}  // namespace particle::cli
