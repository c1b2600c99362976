// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "commands/commands.hpp"
#include "input.hpp"
#include "json.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value pool, holder, address;
};

Result<int> run(Context& context, const Args& args) {
  context.subject = args.pool.text;
  Input input;
  if (input.require("NAME", args.pool)) {
    input.check_name("pool name", args.pool.text);
  }
  if (input.require("--holder", args.holder)) {
    input.check_holder(args.holder.text);
  }
  const auto address = input.take<IpAddress>("--ip", args.address, &IpAddress::parse);
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  const Result<std::vector<Lease>> released =
      node->release(args.pool.text, args.holder.text, address);
  if (!released) {
    return fail(released.error());
  }
  if (context.json) {
    print_json({{"released", leases_to_json(*released)}});
    return 0;
  }
  if (released->empty()) {
    print(args.holder.text + " holds nothing" + (address ? " at " + address->to_string() : "") +
          " in " + args.pool.text + "\n");
  }
  for (const Lease& lease : *released) {
    print("released " + lease.endpoint.to_string() + "\n");
  }
  return 0;
}

}  // namespace

void add_release(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"release", "NAME --holder ID [--ip A]",
       "Gives back every endpoint that a holder has in a pool, or one of them. An endpoint then "
       "cools down before it is given again. Releasing nothing succeeds and says so.",
       "particle release web --holder c42\n"
       "\n"
       "# One of several:\n"
       "particle release web --holder burst-1 --ip 10.1.0.7\n"});
  add_value(verb, "NAME", args->pool, "POOL", "The pool");
  add_value(verb, "--holder", args->holder, "HOLDER", "The container");
  add_value(verb, "--ip", args->address, "IP", "Only this endpoint");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
