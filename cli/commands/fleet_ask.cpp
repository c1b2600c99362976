// SPDX-License-Identifier: Apache-2.0
// `fleet ps`, `fleet logs`, `fleet kill` and `fleet nodes`: what is asked of an agent.
#include "commands/commands.hpp"
#include "commands/fleet_common.hpp"
#include "input.hpp"

namespace particle::cli {
namespace {

constexpr const char* kAgentHelp = "The socket of the agent (default: this node's)";

struct Args {
  Value agent, job, pool, instance;
  bool events = false;
};

Result<int> ask(Context& context, const Args& args, FleetQuestion what) {
  Input input;
  FleetAskRequest request;
  request.what = what;
  if (args.agent) request.agent = args.agent.text;
  if (what == FleetQuestion::logs || what == FleetQuestion::kill) {
    if (input.require("JOB", args.job)) input.check_name("job name", args.job.text);
    request.subject = args.job.text;
  }
  if (args.pool) {
    input.check_name("pool name", args.pool.text);
    request.subject = args.pool.text;
  }
  request.instance = input.take<std::uint64_t>("--instance", args.instance, parse_whole);
  request.events = args.events;
  context.subject = request.subject;
  if (auto ok = input.verdict(); !ok) return fail(std::move(ok.error()));
  return run_fleet(context, {std::move(request)});
}

template <FleetQuestion what>
Result<int> ask_for(Context& context, const Args& args) {
  return ask(context, args, what);
}

}  // namespace

void add_fleet_ps(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root, {"fleet-ps", "[--agent FILE]",
             "Lists the jobs that were started through an agent: the living, and the last 16 that "
             "ended. `particle fleet ps` is the same verb.",
             "particle fleet ps\n"});
  add_value(verb, "--agent", args->agent, "FILE", kAgentHelp);
  on_run(verb, context, args, ask_for<FleetQuestion::jobs>);
}

void add_fleet_logs(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"fleet-logs", "JOB [--instance NUMBER] [--events] [--agent FILE]",
       "Prints what the instances of a job wrote: of each the last 64 KiB, also of the last jobs "
       "that ended. `particle fleet logs` is the same verb.",
       "particle fleet logs nightly --instance 7\n"
       "\n"
       "# What happened, when, one JSON object a line:\n"
       "particle fleet logs nightly --events\n"});
  add_value(verb, "JOB", args->job, "JOB", "The job, as `fleet ps` names it");
  add_value(verb, "--instance", args->instance, "NUMBER", "This instance and no other");
  add_switch(verb, "--events", args->events, "The job's events instead");
  add_value(verb, "--agent", args->agent, "FILE", kAgentHelp);
  on_run(verb, context, args, ask_for<FleetQuestion::logs>);
}

void add_fleet_kill(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(root, {"fleet-kill", "JOB [--agent FILE]",
                                     "Ends a job on all nodes, within a second. Whoever started it "
                                     "is told. `particle fleet kill` "
                                     "is the same verb.",
                                     "particle fleet kill nightly\n"});
  add_value(verb, "JOB", args->job, "JOB", "The job, as `fleet ps` names it");
  add_value(verb, "--agent", args->agent, "FILE", kAgentHelp);
  on_run(verb, context, args, ask_for<FleetQuestion::kill>);
}

void add_fleet_nodes(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(root, {"fleet-nodes", "[--pool POOL] [--agent FILE]",
                                     "Lists the nodes of a fleet: which agents answer, what runs "
                                     "there, and how many endpoints of "
                                     "a pool are free. `particle fleet nodes` is the same verb.",
                                     "particle fleet nodes --pool job\n"});
  add_value(verb, "--pool", args->pool, "POOL", "Say how many endpoints of this pool are free");
  add_value(verb, "--agent", args->agent, "FILE", kAgentHelp);
  on_run(verb, context, args, ask_for<FleetQuestion::nodes>);
}

}  // namespace particle::cli
