// SPDX-License-Identifier: Apache-2.0
#include "change_report.hpp"

#include "output.hpp"
#include "steps.hpp"

namespace particle::cli {

Result<int> report_plan(const Context& context, const std::string& pool, const Result<Plan>& plan,
                        const std::string& nothing_to_do) {
  if (!plan) {
    return fail(plan.error());
  }
  if (context.json) {
    print_json({{"dry_run", true}, {"pool", pool}, {"steps", plan_to_json(*plan)}});
  } else if (plan->empty()) {
    print("pool " + pool + " " + nothing_to_do + ": nothing to do\n");
  } else {
    print(plan_to_text(*plan, Style::of_stdout(context)));
  }
  return 0;
}

void report_change(const Context& context, const Outcome& outcome, const Json& pool,
                   const std::string& text, bool timings) {
  if (context.json) {
    print_json(
        {{"changed", outcome.changed}, {"pool", pool}, {"timings", timings_to_json(outcome)}});
    return;
  }
  print(text);
  if (timings) {
    print("\n" + timings_to_text(outcome, Style::of_stdout(context)));
  }
}

}  // namespace particle::cli
