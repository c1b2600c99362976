// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "apply_watch.hpp"
#include "commands/commands.hpp"
#include "input.hpp"
#include "json.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"
#include "peer_file.hpp"
#include "steps.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value tenant, vtep, from;
};

struct Target {
  std::string tenant;
  IpAddress vtep;
};

Result<Target> read_target(const Args& args) {
  Input input;
  Target target;
  target.tenant = args.tenant.text;
  if (args.from) {
    if (args.vtep) {
      input.invalid("--from together with --vtep", "the file says it");
    }
  } else {
    input.require("--tenant", args.tenant);
    if (input.require("--vtep", args.vtep)) {
      target.vtep = input.take("--vtep", args.vtep.text, &IpAddress::parse, IpAddress{});
    }
  }
  if (args.tenant) {
    input.check_name("tenant", args.tenant.text);
  }
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  if (args.from) {
    const Result<PeerFile> file = read_peer_file(args.from.text);
    if (!file) {
      return fail(file.error());
    }
    target.vtep = file->peer.vtep;
    target.tenant = args.tenant ? args.tenant.text : file->peer.tenant;
  }
  return target;
}

Result<int> run(Context& context, const Args& args) {
  const Result<Target> target = read_target(args);
  if (!target) {
    return fail(target.error());
  }
  context.subject = target->vtep.to_string();
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  ApplyWatch watch(context.json);
  const Result<Outcome> outcome = node->remove_peer(target->tenant, target->vtep, watch.options());
  if (!outcome) {
    return fail(outcome.error());
  }
  if (context.json) {
    print_json({{"changed", outcome->changed},
                {"peer", {{"tenant", target->tenant}, {"vtep", target->vtep.to_string()}}},
                {"timings", timings_to_json(*outcome)}});
  } else {
    print("peer " + target->vtep.to_string() + " of tenant " + target->tenant + " is removed\n");
  }
  return 0;
}

}  // namespace

void add_remove_peer(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(root, {"remove-peer",
                                     "--tenant T --vtep IP\n"
                                     "--from FILE [--tenant T]",
                                     "Removes what `add-peer` made for a remote node.",
                                     "particle remove-peer --tenant acme --vtep 192.0.2.2\n"
                                     "\n"
                                     "# With the file that add-peer was given:\n"
                                     "particle remove-peer --from b.json\n"});
  add_value(verb, "--tenant", args->tenant, "TENANT", "The tenant; overrides the one in the file");
  add_value(verb, "--vtep", args->vtep, "IP", "The other node's underlay address");
  add_value(verb, "--from", args->from, "FILE",
            "The other node's `show-pool NAME --json`; `-` is stdin");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
