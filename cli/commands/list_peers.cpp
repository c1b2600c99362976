// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "commands/commands.hpp"
#include "json.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value tenant;
};

void print_table(const Context& context, const std::vector<PeerInfo>& peers) {
  Table table({"TENANT", "VTEP", "MAC", "KEPT BY", "STATE", "PREFIXES"});
  for (const PeerInfo& info : peers) {
    table.add({info.peer.tenant, info.peer.vtep.to_string(), info.peer.mac.to_string(),
               info.peer.owner.empty() ? "hand" : info.peer.owner,
               info.programmed ? "programmed" : "incomplete: " + join(info.problems, "; "),
               prefixes_to_text(info.peer.prefixes)});
  }
  print(table.empty() ? "no peers\n" : table.to_string(Style::of_stdout(context)));
}

Result<int> run(Context& context, const Args& args) {
  std::optional<std::string> tenant;
  if (args.tenant) {
    if (auto ok = check_name("tenant", args.tenant.text); !ok) {
      return fail(ok.error());
    }
    tenant = args.tenant.text;
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  const Result<std::vector<PeerInfo>> peers = node->list_peers(tenant);
  if (!peers) {
    return fail(peers.error());
  }
  if (!context.json) {
    print_table(context, *peers);
    return 0;
  }
  Json list = Json::array();
  for (const PeerInfo& info : *peers) {
    list.push_back(peer_to_json(info));
  }
  print_json({{"peers", list}});
  return 0;
}

}  // namespace

void add_list_peers(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb =
      begin_verb(root, {"list-peers", "[--tenant T]",
                        "Lists the remote nodes that `add-peer` or an overlay's agent made "
                        "reachable, who keeps each, and what of it the kernel lacks.",
                        "particle list-peers\n"
                        "particle list-peers --tenant acme --json\n"});
  add_value(verb, "--tenant", args->tenant, "TENANT", "Only this tenant's peers");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
