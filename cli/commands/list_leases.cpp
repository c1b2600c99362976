// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "commands/commands.hpp"
#include "input.hpp"
#include "json.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value pool, holder;
};

std::optional<std::string> optional_text(const Value& value) {
  return value ? std::optional(value.text) : std::nullopt;
}

void print_table(const Context& context, const std::vector<Lease>& leases) {
  Table table({"POOL", "ENDPOINT", "HOLDER", "PID", "SINCE"});
  for (const Lease& lease : leases) {
    table.add({lease.pool, lease.endpoint.to_string(), lease.holder,
               lease.process ? std::to_string(*lease.process) : "-",
               lease_to_json(lease)["since"].get<std::string>()});
  }
  print(table.empty() ? "no leases\n" : table.to_string(Style::of_stdout(context)));
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.pool.text;
  Input input;
  if (args.pool) {
    input.check_name("pool name", args.pool.text);
  }
  if (args.holder) {
    input.check_holder(args.holder.text);
  }
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  if (args.pool) {
    if (auto pool = find_pool(*node, args.pool.text); !pool) {
      return fail(pool.error());
    }
  }
  const Result<std::vector<Lease>> leases =
      node->leases(optional_text(args.pool), optional_text(args.holder));
  if (!leases) {
    return fail(leases.error());
  }
  if (context.json) {
    print_json({{"leases", leases_to_json(*leases)}});
  } else {
    print_table(context, *leases);
  }
  return 0;
}

}  // namespace

void add_list_leases(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb =
      begin_verb(root, {"list-leases", "[NAME] [--holder ID]",
                        "Lists who holds which endpoint, of all pools of this node or of one.",
                        "particle list-leases\n"
                        "\n"
                        "# What a container has, in every pool:\n"
                        "particle list-leases --holder c42 --json\n"});
  add_value(verb, "NAME", args->pool, "POOL", "Only this pool");
  add_value(verb, "--holder", args->holder, "HOLDER", "Only this container");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
