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
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value tenant, vtep, mac, from;
  std::vector<std::string> prefixes;
  bool timings = false;
};

Peer take_peer(Input& input, const Args& args) {
  Peer peer;
  peer.tenant = input.require("--tenant", args.tenant) ? args.tenant.text : "tenant";
  const IpAddress some_vtep = *IpAddress::parse("192.0.2.1");
  peer.vtep = input.require("--vtep", args.vtep)
                  ? input.take("--vtep", args.vtep.text, &IpAddress::parse, some_vtep)
                  : some_vtep;
  const Mac some_mac = Mac::derive("placeholder");
  peer.mac = input.require("--mac", args.mac)
                 ? input.take("--mac", args.mac.text, &Mac::parse, some_mac)
                 : some_mac;
  const IpPrefix some_prefix = *IpPrefix::parse("10.0.0.0/8");
  if (args.prefixes.empty()) {
    input.missing("--prefix");
    peer.prefixes.push_back(some_prefix);
  }
  for (const std::string& text : args.prefixes) {
    peer.prefixes.push_back(input.take("--prefix", text, &IpPrefix::parse, some_prefix));
  }
  input.add(check(peer));
  return peer;
}

/// From options alone, or from the other node's file.
Result<PeerFile> read_peer(const Args& args) {
  Input input;
  PeerFile file;
  if (!args.from) {
    file.peer = take_peer(input, args);
  } else if (args.vtep || args.mac || !args.prefixes.empty()) {
    input.invalid("--from together with --vtep, --mac or --prefix", "the file says all of it");
  }
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  if (!args.from) {
    return file;
  }
  Result<PeerFile> read = read_peer_file(args.from.text);
  if (read && args.tenant) {
    read->peer.tenant = args.tenant.text;
  }
  if (read) {
    input.add(check(read->peer));
    if (auto ok = input.verdict(); !ok) {
      return fail(ok.error());
    }
  }
  return read;
}

/// A VNI that differs means that no packet would ever arrive; an MTU that differs, that large ones
/// would not. Returns the warnings.
Result<std::vector<std::string>> compare(const Node& node, const PeerFile& file) {
  std::vector<std::string> warnings;
  const Result<std::vector<PoolInfo>> pools = node.list_pools();
  if (!pools) {
    return fail(pools.error());
  }
  for (const PoolInfo& pool : *pools) {
    if (pool.tenant != file.peer.tenant) {
      continue;
    }
    if (file.vni.value() != 0 && pool.vni != file.vni) {
      return fail(Error::of(Errc::conflict,
                            "the peer's VNI is " + std::to_string(file.vni.value()) + ", tenant " +
                                pool.tenant + " has " + std::to_string(pool.vni.value()) + " here",
                            "a tenant has one VNI on all nodes; create one of the pools anew"));
    }
    if (file.mtu && pool.mtu != *file.mtu) {
      warnings.push_back("MTU " + std::to_string(file.mtu->value()) + " there, " +
                         std::to_string(pool.mtu.value()) + " in pool " + pool.name +
                         " here: give both pools the smaller one with --mtu");
    }
  }
  return warnings;
}

Result<int> run(Context& context, const Args& args) {
  const Result<PeerFile> file = read_peer(args);
  if (!file) {
    return fail(file.error());
  }
  const Peer& peer = file->peer;
  context.subject = peer.vtep.to_string();
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  const Result<std::vector<std::string>> warnings = compare(*node, *file);
  if (!warnings) {
    return fail(warnings.error());
  }
  ApplyWatch watch(args.timings || context.json);
  const Result<Outcome> outcome = node->add_peer(peer, watch.options());
  if (!outcome) {
    return fail(outcome.error());
  }
  for (const std::string& warning : *warnings) {
    print_warning(context, warning);
  }
  if (context.json) {
    print_json({{"changed", outcome->changed},
                {"peer", peer_to_json(peer)},
                {"warnings", *warnings},
                {"timings", timings_to_json(*outcome)}});
    return 0;
  }
  print("peer " + peer.vtep.to_string() + " of tenant " + peer.tenant +
        (outcome->changed ? " is reachable: " : " was there already: ") +
        prefixes_to_text(peer.prefixes) + "\n");
  if (args.timings) {
    print("\n" + timings_to_text(*outcome, Style::of_stdout(context)));
  }
  return 0;
}

}  // namespace

void add_add_peer(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root, {"add-peer",
             "--from FILE [--tenant T]\n"
             "--tenant T --vtep IP --mac MAC --prefix CIDR...",
             "Makes a remote node's pool reachable from the tenant's pools here: one forwarding "
             "entry, one permanent neighbour and one route per prefix, however many endpoints are "
             "behind it. Repeating it is fine; a peer whose addresses changed is updated.\n\n"
             "Do the same on the other node: each side needs to know the other.",
             "# On node B, then on node A:\n"
             "particle show-pool web --json > b.json\n"
             "particle add-peer --from b.json\n"
             "\n"
             "# In one go, from node A:\n"
             "ssh node-b particle show-pool web --json | particle add-peer --from -\n"
             "\n"
             "# By hand:\n"
             "particle add-peer --tenant acme --vtep 192.0.2.2 --mac 02:5e:10:00:00:01 --prefix "
             "10.1.1.0/24\n"});
  add_value(verb, "--from", args->from, "FILE",
            "The other node's `show-pool NAME --json`; `-` is stdin");
  add_value(verb, "--tenant", args->tenant, "TENANT", "The tenant; overrides the one in the file");
  add_value(verb, "--vtep", args->vtep, "IP", "The other node's underlay address");
  add_value(verb, "--mac", args->mac, "MAC", "The MAC address of its pool");
  add_value_list(verb, "--prefix", args->prefixes, "CIDR", "What is behind it; any number of them");
  add_switch(verb, "--timings", args->timings, "Print the milliseconds of each step");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
