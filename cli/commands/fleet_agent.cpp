// SPDX-License-Identifier: Apache-2.0
#include "agent_program.hpp"
#include "blocks_request.hpp"
#include "commands/commands.hpp"
#include "commands/fleet_common.hpp"
#include "input.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value name, socket, listen, peer_file, backend, secret_file, cluster;
  std::vector<std::string> peers;
  EtcdOptions etcd;
  bool no_authentication = false;
};

std::optional<std::string> text_of(const Value& value) {
  return value ? std::optional(value.text) : std::nullopt;
}

/// How the agents know each other.
void take_secret(Input& input, const Args& args, FleetAgentRequest& request) {
  request.secret_file = text_of(args.secret_file);
  request.no_authentication = args.no_authentication;
  const Value& cluster = args.cluster ? args.cluster : args.etcd.at("etcd-cluster");
  request.cluster = cluster ? cluster.text : "default";
  input.check_name("cluster", request.cluster);
  if (args.secret_file && args.no_authentication) {
    input.invalid("--secret-file together with --no-authentication", "choose one");
  }
  if (!args.listen && (args.secret_file || args.no_authentication)) {
    input.invalid(args.secret_file ? "--secret-file without --listen"
                                   : "--no-authentication without --listen",
                  "a fleet of one node is reached at its socket alone");
  }
  if (args.listen && !args.secret_file && !args.no_authentication) {
    input.invalid(
        "--listen without --secret-file",
        "whoever reaches an agent runs programs as root on its node. Make a secret once, "
        "`(umask 077; openssl rand -hex 32 > /etc/particle/fleet.secret)`, and give every agent "
        "of the fleet a copy; --no-authentication does without, where nobody else reaches the "
        "network");
  }
}

/// How the agents find each other.
void take_members(Input& input, const Args& args, FleetAgentRequest& request) {
  for (const auto& [name, value] : args.etcd) {
    if (value) request.etcd.emplace(name, value.text);
  }
  if (request.etcd.empty()) return;
  if (!args.etcd.at("etcd-endpoints")) {
    input.invalid("--" + request.etcd.begin()->first + " without --etcd-endpoints",
                  "where is etcd?");
    return;
  }
  if (!args.peers.empty() || args.peer_file) {
    input.invalid("--etcd-endpoints together with --peer or --peers",
                  "choose one: etcd's list of nodes, or one that is written down");
  }
  if (!args.listen) {
    input.invalid("--etcd-endpoints without --listen", "other agents must reach this one, too");
  }
  if (const auto settings = overlay::parse_etcd_settings(request.etcd); !settings) {
    for (const std::string& problem : settings.error().details) input.invalid(problem);
  }
}

Result<FleetAgentRequest> read_request(const Context& context, const Args& args) {
  Input input;
  FleetAgentRequest request;
  request.name = args.name ? args.name.text : host_name();
  input.check_name("node name", request.name);
  request.socket = text_of(args.socket);
  request.listen = text_of(args.listen);
  for (const std::string& text : args.peers) {
    request.peers.push_back(
        input.take<fleet::AgentPeer>("--peer", text, &fleet::AgentPeer::parse, {}));
  }
  request.peer_file = text_of(args.peer_file);
  if (!args.listen && (!args.peers.empty() || args.peer_file)) {
    input.invalid("--peer without --listen", "other agents must reach this one, too");
  }
  take_secret(input, args, request);
  take_members(input, args, request);
  request.launcher.name = request.name;
  request.launcher.backend =
      input.take<fleet::Backend>("--backend", args.backend, parse_backend_name)
          .value_or(request.launcher.backend);
  if (context.json) input.invalid("--json", "a running agent prints no result");
  if (auto ok = input.verdict(); !ok) return fail(std::move(ok.error()));
  return request;
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.name.text;
  auto request = read_request(context, args);
  if (!request) return fail(std::move(request.error()));
  if (context.agent_verbs.run_fleet_agent == nullptr) return fail(become_fleet_agent(context));
  return context.agent_verbs.run_fleet_agent(context, *request);
}

void add_fleet_etcd_options(CLI::App& verb, EtcdOptions& options) {
  for (const overlay::Setting& setting : overlay::etcd_settings()) {
    const std::string name(setting.name);
    add_value(verb, "--" + name, options[name], std::string(setting.type),
              std::string(setting.help));
  }
}

}  // namespace

void add_fleet_agent(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"fleet-agent",
       "[--name NAME] [--socket FILE] [--backend builtin|runc|containerd]\n"
       "--listen IP:PORT --secret-file FILE [--peer NAME=IP:PORT]... [--peers FILE] "
       "[--cluster NAME] ...\n"
       "--listen IP:PORT --secret-file FILE --etcd-endpoints URLS [--etcd-...] ...",
       "Runs jobs on this node: for clients at its UNIX socket, which it distributes over the "
       "fleet, and "
       "for the other agents of the fleet, which reach it at --listen. `particle fleet agent` is "
       "the "
       "same verb.\n\n"
       "Whoever an agent serves can run any program as root on its node. So the agents of a fleet "
       "share a secret: both ends of a connection prove that they have it, and all that they say "
       "is encrypted (TLS 1.3). Make it once, for all nodes: `(umask 077; openssl rand -hex 32 > "
       "FILE)`.\n\n"
       "The agents find each other by a list (--peer, --peers) or through etcd, where each "
       "registers "
       "its name and address and leaves when it stops, or a lease after it has died.\n\n"
       "Runs in the foreground, until SIGTERM, which ends its jobs. As a systemd service it says "
       "when it "
       "is ready (Type=notify) and logs with priorities. What a killed agent left behind, the next "
       "one "
       "ends when it starts.",
       "# A fleet of one node:\n"
       "particle fleet agent\n"
       "\n"
       "# Three nodes, each with such a line:\n"
       "particle fleet agent --name n1 --listen 192.0.2.1:4790 \\\n"
       "  --secret-file /etc/particle/fleet.secret \\\n"
       "  --peer n2=192.0.2.2:4790 --peer n3=192.0.2.3:4790\n"
       "\n"
       "# The same, found through etcd:\n"
       "particle fleet agent --name n1 --listen 192.0.2.1:4790 \\\n"
       "  --secret-file /etc/particle/fleet.secret \\\n"
       "  --etcd-endpoints https://192.0.2.9:2379 --etcd-ca /etc/particle/etcd-ca.pem\n"});
  add_value(verb, "--name", args->name, "NAME",
            "This node's name, unique in the fleet; default: the host's name");
  add_value(
      verb, "--socket", args->socket, "FILE",
      "Where clients of this node find it (default: fleet.sock in the node's directory under the "
      "run directory)");
  add_value(verb, "--listen", args->listen, "IP:PORT",
            "Where the other agents reach it: an address of the node network");
  add_values(verb, "--peer", args->peers, "NAME=IP:PORT", "Another node's agent; may be repeated");
  add_value(verb, "--peers", args->peer_file, "FILE",
            "The same from a file, one a line, read anew for each job; it may name this node, too");
  add_value(
      verb, "--secret-file", args->secret_file, "FILE",
      "The fleet's secret, the same on all nodes: at least 32 random bytes, or 64 hexadecimal "
      "digits, that nobody but this user may read");
  add_value(verb, "--cluster", args->cluster, "NAME",
            "The fleet's name: agents of another one are refused, even if they have this secret "
            "(default: that of --etcd-cluster, else default)");
  add_switch(verb, "--no-authentication", args->no_authentication,
             "Instead of --secret-file: serve whoever reaches --listen, unencrypted. Only where "
             "nobody but the nodes reaches the network");
  add_fleet_etcd_options(verb, args->etcd);
  add_value(verb, "--backend", args->backend, "builtin|runc|containerd",
            "What starts the instances (default: builtin)");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
