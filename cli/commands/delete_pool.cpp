// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "apply_watch.hpp"
#include "change_report.hpp"
#include "commands/commands.hpp"
#include "input.hpp"
#include "node_access.hpp"
#include "options.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value name;
  bool force = false;
  bool dry_run = false;
  bool timings = false;
};

Result<int> run(Context& context, const Args& args) {
  context.subject = args.name.text;
  Input input;
  if (input.require("NAME", args.name)) {
    input.check_name("pool name", args.name.text);
  }
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  if (args.dry_run) {
    return report_plan(context, args.name.text, node->plan_delete(args.name.text, args.force),
                       "is deleted already");
  }
  ApplyWatch watch(args.timings || context.json);
  const Result<Outcome> outcome = node->delete_pool(args.name.text, args.force, watch.options());
  if (!outcome) {
    return fail(outcome.error());
  }
  const std::string& name = args.name.text;
  report_change(context, *outcome, name,
                "pool " + name + (outcome->changed ? " is deleted\n" : " was deleted already\n"),
                args.timings);
  return 0;
}

}  // namespace

void add_delete_pool(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root, {"delete-pool", "NAME [--force] [--dry-run] [--timings]",
             "Removes a pool, and with the tenant's last pool on this node its VTEP and peers. "
             "Refused while leases are held, unless forced.",
             "particle delete-pool web\n"
             "\n"
             "# Also when containers still hold leases:\n"
             "particle delete-pool web --force\n"});
  add_value(verb, "NAME", args->name, "POOL", "The pool");
  add_switch(verb, "--force", args->force, "Delete it although leases are held, and forget them");
  add_switch(verb, "--dry-run", args->dry_run, "Print the steps and change nothing");
  add_switch(verb, "--timings", args->timings, "Print the milliseconds of each step");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
