// SPDX-License-Identifier: Apache-2.0
#include <map>

#include <particle/pool.hpp>

#include "agent_program.hpp"
#include "agent_request.hpp"
#include "commands/commands.hpp"
#include "input.hpp"
#include "options.hpp"
#include "overlay-adapters/adapter.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value overlay, node, metrics, resync, wait;
  std::map<std::string, Value> settings;  ///< by name; every overlay's
  bool once = false;
  bool forget = false;
};

std::string overlay_names() {
  std::string names;
  for (const overlay::AdapterKind* kind : overlay::adapter_kinds()) {
    names += (names.empty() ? "" : "|") + std::string(kind->capabilities->name);
  }
  return names;
}

void take_settings(Input& input, const Args& args, AgentRequest& request) {
  const auto kind = overlay::find_adapter_kind(request.overlay);
  if (!kind) {
    input.invalid("--overlay " + shown(request.overlay), kind.error().hint);
    return;
  }
  for (const auto& [name, value] : args.settings) {
    if (value) {
      request.settings.emplace(name, value.text);
    }
  }
  // --forget asks nobody.
  for (const overlay::Setting& setting : (*kind)->settings) {
    if (setting.required && !args.forget && !request.settings.contains(std::string(setting.name))) {
      input.missing("--" + std::string(setting.name));
    }
  }
}

Result<AgentRequest> read_request(const Context& context, const Args& args) {
  Input input;
  AgentRequest request;
  request.once = args.once;
  request.forget = args.forget;
  request.overlay = args.overlay.text;
  if (input.require("--overlay", args.overlay)) {
    take_settings(input, args, request);
  }
  request.node = args.node ? args.node.text : host_name();
  input.check_name("node", request.node);
  if (args.metrics) {
    request.metrics = args.metrics.text;
  }
  const auto seconds = [&](const char* name, const Value& value, std::chrono::milliseconds usual) {
    const auto given = input.take<std::chrono::milliseconds>(name, value, &parse_seconds);
    return given.value_or(usual);
  };
  request.resync = seconds("--resync", args.resync, request.resync);
  request.wait = seconds("--wait", args.wait, request.wait);
  if (args.resync && request.resync < std::chrono::seconds(1)) {
    input.invalid("--resync " + args.resync.text, "at least one second");
  }
  if (args.once && args.forget) {
    input.invalid("--once together with --forget", "choose one");
  }
  if (context.json && !args.once && !args.forget) {
    input.invalid("--json without --once or --forget",
                  "a running agent prints no result; --metrics has its numbers");
  }
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  return request;
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.overlay.text;
  const Result<AgentRequest> request = read_request(context, args);
  if (!request) {
    return fail(request.error());
  }
  if (context.agent_verbs.run_agent != nullptr) {
    return context.agent_verbs.run_agent(context, *request);
  }
  return fail(become_agent(context));
}

void add_settings(CLI::App& verb, Args& args) {
  for (const overlay::AdapterKind* kind : overlay::adapter_kinds()) {
    for (const overlay::Setting& setting : kind->settings) {
      const std::string name(setting.name);
      add_value(
          verb, "--" + name, args.settings[name], std::string(setting.type),
          "Overlay " + std::string(kind->capabilities->name) + ": " + std::string(setting.help));
    }
  }
}

}  // namespace

void add_agent(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"agent",
       "--overlay NAME [SETTINGS]\n--overlay NAME [SETTINGS] --once\n--overlay NAME --forget",
       "Keeps this node's peers in step with an overlay: tells the other nodes of the pools here, "
       "and enters theirs. Wakes up when pools are made or removed here and when the overlay has "
       "news; compares the kernel now and then, and restores what it has lost. It touches only "
       "the peers that it entered itself: those of `add-peer` stay.\n\n"
       "Runs in the foreground, until SIGTERM; SIGHUP makes it read its files again. As a systemd "
       "service it says when it is ready (Type=notify) and logs with priorities. Stopping or "
       "killing it takes nothing away: what is entered stays and carries traffic. Nothing else "
       "needs it: every other verb works without.\n\n"
       "With --once it does all that a single time, and says what it changed.",
       "# What a file lists, and nothing else, until the agent is stopped:\n"
       "particle agent --overlay static --peers /etc/particle/peers.json\n"
       "\n"
       "# Once, from a script. The file can hold the output of `show-pool --json` of each pool:\n"
       "jq -s . a.json b.json c.json > peers.json\n"
       "particle agent --overlay static --peers peers.json --once\n"
       "\n"
       "# BGP EVPN through FRR, which runs on this node:\n"
       "particle frr-config --local 192.0.2.1 --peer 192.0.2.2 > /etc/frr/frr.conf\n"
       "systemctl restart frr\n"
       "particle agent --overlay evpn\n"
       "\n"
       "# With metrics for Prometheus:\n"
       "particle agent --overlay static --peers peers.json --metrics 127.0.0.1:9469\n"
       "\n"
       "# Take off everything that the overlay's agent has entered:\n"
       "particle agent --overlay static --forget\n"});
  add_value(verb, "--overlay", args->overlay, overlay_names(), "Which control plane to follow");
  add_settings(verb, *args);
  add_value(verb, "--node", args->node, "NAME",
            "This node's name, unique in the overlay; default: the host's name");
  add_value(verb, "--resync", args->resync, "SECONDS",
            "How often the kernel is compared even without news; default: 30");
  add_value(verb, "--metrics", args->metrics, "ADDRESS",
            "Serve Prometheus metrics: 127.0.0.1:PORT, [::1]:PORT or a UNIX socket's path");
  add_switch(verb, "--once", args->once, "Do it once and exit");
  add_value(verb, "--wait", args->wait, "SECONDS",
            "With --once: how long to wait for the overlay to answer; default: 10");
  add_switch(
      verb, "--forget", args->forget,
      "Take off the peers that this overlay keeps and what it announced of this node, and exit");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
