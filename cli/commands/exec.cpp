// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include <particle/netns.hpp>
#include <particle/node.hpp>

#include "command_process.hpp"
#include "commands/commands.hpp"
#include "input.hpp"
#include "lease_access.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value pool, holder;
};

Result<Lease> first_lease(const Node& node, const Args& args) {
  Result<std::vector<Lease>> leases = node.leases(args.pool.text, args.holder.text);
  if (!leases) {
    return fail(std::move(leases).error());
  }
  if (leases->empty()) {
    return fail(
        Error::of(Errc::not_found,
                  "holder " + shown(args.holder.text) + " has no lease in pool " + args.pool.text,
                  "take one: particle lease " + args.pool.text + " --holder " + args.holder.text));
  }
  return std::move(leases->front());
}

/// The namespace to enter: the pool's, or the lease's own where leases have one each.
Result<NetNs> open_target(const Node& node, const Args& args) {
  if (!args.holder) {
    return node.open_pool_netns(args.pool.text);
  }
  const Result<Lease> lease = first_lease(node, args);
  if (!lease) {
    return fail(lease.error());
  }
  export_lease(*lease);
  return open_lease_netns(node, *lease);
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.pool.text;
  Input input;
  if (input.require("NAME", args.pool)) {
    input.check_name("pool name", args.pool.text);
  }
  if (args.holder) {
    input.check_holder(args.holder.text);
  }
  if (context.command.empty()) {
    input.invalid("no command is given",
                  "write it after `--`: particle exec NAME -- COMMAND ARGUMENT...");
  }
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  const Result<NetNs> target = open_target(*node, args);
  if (!target) {
    return fail(target.error());
  }
  if (auto ok = enter_netns(*target, args.pool.text); !ok) {
    return fail(ok.error());
  }
  ::setenv("PARTICLE_POOL", args.pool.text.c_str(), 1);
  return become_command(context);
}

}  // namespace

void add_exec(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"exec", "NAME [--holder ID] -- COMMAND [ARGUMENT...]",
       "Runs a command inside a pool's network namespace; everything else of the command stays "
       "as it is. Sets PARTICLE_POOL and, with --holder, PARTICLE_HOLDER and PARTICLE_IP "
       "(and PARTICLE_IP6) to that holder's first lease. With isolation `container` and a "
       "holder, the namespace is the lease's own. The command replaces `particle`, so its exit "
       "status is what you get.",
       "particle exec web -- ip address\n"
       "\n"
       "# Talk from the endpoint that c42 holds:\n"
       "particle exec web --holder c42 -- sh -c 'ping -c 1 -I $PARTICLE_IP 10.1.0.101'\n"
       "\n"
       "# Listen on it:\n"
       "particle exec web --holder c42 -- sh -c 'python3 -m http.server -b $PARTICLE_IP'\n"});
  add_value(verb, "NAME", args->pool, "POOL", "The pool");
  add_value(verb, "--holder", args->holder, "HOLDER", "The container whose lease the command gets");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
