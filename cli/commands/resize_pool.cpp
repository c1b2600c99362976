// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "apply_watch.hpp"
#include "change_report.hpp"
#include "commands/commands.hpp"
#include "input.hpp"
#include "json.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value name, count;
  std::vector<std::string> prefixes, ranges;
  bool dry_run = false;
  bool timings = false;
};

ResizeSpec take_spec(Input& input, const Args& args) {
  ResizeSpec spec;
  if (input.require("NAME", args.name)) {
    input.check_name("pool name", args.name.text);
  }
  spec.count = input.take<std::uint64_t>("--count", args.count, parse_count);
  spec.blocks = take_blocks(input, args.prefixes, args.ranges);
  if (!args.count && args.prefixes.empty() && args.ranges.empty()) {
    input.invalid("nothing to change is given", "give --count, --prefix or both");
  }
  return spec;
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.name.text;
  Input input;
  const ResizeSpec spec = take_spec(input, args);
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  const std::string& name = args.name.text;
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  if (args.dry_run) {
    return report_plan(context, name, node->plan_resize(name, spec), "has this size already");
  }
  ApplyWatch watch(args.timings || context.json);
  const Result<Outcome> outcome = node->resize_pool(name, spec, watch.options());
  if (!outcome) {
    return fail(outcome.error());
  }
  const Result<PoolInfo> pool = find_pool(*node, name);
  if (!pool) {
    return fail(pool.error());
  }
  report_change(context, *outcome, pool_to_json(*pool),
                "pool " + name + (outcome->changed ? " now has " : " has this size already: ") +
                    counted(pool->capacity, "endpoint") + " in " + blocks_to_text(*pool) + "\n",
                args.timings);
  return 0;
}

}  // namespace

void add_resize_pool(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"resize-pool",
       "NAME [--count N] [--prefix CIDR]... [--range A-B]... [--dry-run] [--timings]",
       "Gives a pool more or fewer endpoints while containers use it. The first address must "
       "stay; shrinking is refused while a lease would fall outside.\n\n"
       "Remote nodes keep the routes they have: after a change of prefix or range run "
       "`add-peer --from` there again.",
       "particle resize-pool web --count 200\n"
       "\n"
       "# A wider range of the same subnet; first see what it would do:\n"
       "particle resize-pool web --prefix 10.1.0.0/24 --range 10.1.0.1-10.1.0.150 --dry-run\n"});
  add_value(verb, "NAME", args->name, "POOL", "The pool");
  add_value(verb, "--count", args->count, "N", "The new number of endpoints");
  add_values(verb, "--prefix", args->prefixes, "CIDR", "Replaces the prefix of the same family");
  add_values(verb, "--range", args->ranges, "A-B",
             "The part of the --prefix of the same family that this node owns");
  add_switch(verb, "--dry-run", args->dry_run, "Print the steps and change nothing");
  add_switch(verb, "--timings", args->timings, "Print the milliseconds of each step");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
