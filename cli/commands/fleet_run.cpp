// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include <unistd.h>

#include <particle_bind/enforce.hpp>

#include "commands/commands.hpp"
#include "commands/fleet_common.hpp"
#include "input.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

constexpr std::uint64_t kMostInstances = 1'000'000;

struct Args {
  Value pool, id, count, image, directory, memory, cpus, pids, timeout, retries, enforce,
      concurrency, place, agent, input, inputs, timeline, events, backend, job;
  std::vector<std::string> environment, mounts;
  bool here = false;
};

/// Unique among the jobs of a fleet without anybody being asked.
std::string new_id() {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  return "run-" + std::to_string(now % 10'000'000'000) + "-" + std::to_string(::getpid());
}

Result<fleet::Mount> parse_mount(std::string_view text) {
  fleet::Mount mount;
  mount.writable = text.ends_with(":rw");
  if (mount.writable || text.ends_with(":ro")) text.remove_suffix(3);
  const std::size_t colon = text.find(':');
  mount.source = text.substr(0, colon);
  mount.target = colon == std::string_view::npos ? mount.source : text.substr(colon + 1);
  if (!mount.source.starts_with('/') || !mount.target.starts_with('/')) {
    return fail(Error::of(Errc::invalid_argument, {}, "SOURCE:TARGET[:rw], both absolute"));
  }
  return mount;
}

void take_limits(Input& input, const Args& args, fleet::Limits& limits) {
  limits.memory = input.take<std::uint64_t>("--memory", args.memory, parse_bytes);
  limits.cpus = input.take<double>("--cpus", args.cpus, parse_decimal);
  limits.pids = input.take<std::uint64_t>("--pids", args.pids, parse_count);
  limits.wall_time =
      input.take<std::chrono::milliseconds>("--timeout", args.timeout, parse_duration)
          .value_or(limits.wall_time);
}

fleet::Function take_function(Input& input, const Context& context, const Args& args) {
  fleet::Function function;
  if (args.image) function.image = args.image.text;
  if (args.directory) function.directory = args.directory.text;
  function.command = context.command;
  function.environment = args.environment;
  for (const std::string& text : args.mounts) {
    function.mounts.push_back(input.take<fleet::Mount>("--mount", text, parse_mount, {"/", "/x"}));
  }
  take_limits(input, args, function.limits);
  function.retries = static_cast<std::uint32_t>(
      input.take<std::uint64_t>("--retries", args.retries, parse_whole).value_or(0));
  function.enforce = input.take<bind::Mechanism>("--enforce", args.enforce, bind::parse_mechanism)
                         .value_or(function.enforce);
  if (context.command.empty()) {
    input.invalid("no command is given",
                  "write it after `--`: particle fleet run --pool NAME -- COMMAND ARGUMENT...");
  }
  return function;
}

std::optional<std::string> text_of(const Value& value) {
  return value ? std::optional(value.text) : std::nullopt;
}

void take_where(Input& input, const Args& args, FleetRunRequest& request) {
  request.agent = text_of(args.agent);
  request.here = args.here;
  if (args.here && args.agent) input.invalid("--here together with --agent", "choose one");
  request.job.placement =
      input.take<fleet::Placement>("--place", args.place, fleet::parse_placement)
          .value_or(request.job.placement);
  if (args.backend) {
    const auto backend = input.take<fleet::Backend>("--backend", args.backend, parse_backend_name);
    request.launcher.backend = backend.value_or(request.launcher.backend);
    if (!args.here) input.invalid("--backend without --here", "an agent has its own");
  }
}

/// With --job the file says it all.
Result<FleetRunRequest> read_stages(const Context& context, const Args& args) {
  Input input;
  FleetRunRequest request;
  request.job_file = args.job.text;
  const std::pair<const char*, const Value*> others[] = {{"--pool", &args.pool},
                                                         {"--count", &args.count},
                                                         {"--id", &args.id},
                                                         {"--image", &args.image},
                                                         {"--input", &args.input},
                                                         {"--inputs", &args.inputs},
                                                         {"--memory", &args.memory},
                                                         {"--cpus", &args.cpus},
                                                         {"--pids", &args.pids},
                                                         {"--place", &args.place},
                                                         {"--timeout", &args.timeout},
                                                         {"--retries", &args.retries},
                                                         {"--enforce", &args.enforce},
                                                         {"--at-once", &args.concurrency},
                                                         {"--workdir", &args.directory}};
  for (const auto& [name, value] : others) {
    if (*value) input.invalid(std::string(name) + " together with --job", "the file says it");
  }
  if (!context.command.empty()) input.invalid("a command together with --job", "the file has them");
  take_where(input, args, request);
  request.timeline = text_of(args.timeline);
  request.events = text_of(args.events);
  if (auto ok = input.verdict(); !ok) return fail(std::move(ok.error()));
  return request;
}

Result<FleetRunRequest> read_request(const Context& context, const Args& args) {
  Input input;
  FleetRunRequest request;
  if (input.require("--pool", args.pool)) {
    request.job.pool = args.pool.text;
    input.check_name("pool name", request.job.pool);
  }
  request.job.id = args.id ? args.id.text : new_id();
  input.check_name("job name", request.job.id);
  request.count = input.take<std::uint64_t>("--count", args.count, parse_count).value_or(1);
  if (request.count > kMostInstances) input.invalid("--count " + args.count.text, "1 to 1000000");
  request.job.function = take_function(input, context, args);
  request.job.concurrency =
      input.take<std::uint64_t>("--at-once", args.concurrency, parse_count).value_or(0);
  take_where(input, args, request);
  request.input = text_of(args.input);
  request.inputs = text_of(args.inputs);
  if (args.inputs && args.count)
    input.invalid("--inputs together with --count", "one instance a line");
  if (args.inputs && args.input) input.invalid("--inputs together with --input", "choose one");
  request.timeline = text_of(args.timeline);
  request.events = text_of(args.events);
  if (auto ok = input.verdict(); !ok) return fail(std::move(ok.error()));
  if (auto ok = fleet::check_job(request.job); !ok) return fail(std::move(ok.error()));
  return request;
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.id ? args.id.text : args.pool.text;
  auto request = args.job ? read_stages(context, args) : read_request(context, args);
  if (!request) return fail(std::move(request.error()));
  return run_fleet(context, {std::move(*request)});
}

void add_function_options(CLI::App& verb, Args& args) {
  add_value(verb, "--image", args.image, "IMAGE",
            "The root: a directory, or oci:DIRECTORY[:TAG] (default: the node's own, read-only)");
  add_values(verb, "--env", args.environment, "NAME=VALUE", "Set a variable; may be repeated");
  add_values(verb, "--mount", args.mounts, "SOURCE:TARGET[:rw]",
             "Show a file or directory of the node; may be repeated");
  add_value(verb, "--workdir", args.directory, "DIR", "Where the command starts (default: /)");
  add_value(verb, "--memory", args.memory, "BYTES", "At most this much for each instance: 64M");
  add_value(verb, "--cpus", args.cpus, "NUMBER", "At most this much processor time: 0.5");
  add_value(verb, "--pids", args.pids, "NUMBER", "At most this many processes and threads");
  add_value(verb, "--timeout", args.timeout, "TIME",
            "End an instance after this long: 5s, 250ms, 2m");
  add_value(verb, "--retries", args.retries, "NUMBER",
            "Start an instance that failed anew, elsewhere if possible, up to so often");
}

void add_job_options(CLI::App& verb, Args& args) {
  add_value(verb, "--pool", args.pool, "POOL", "The pool, of every node that takes part");
  add_value(verb, "--count", args.count, "NUMBER", "How many instances (default: 1)");
  add_value(verb, "--id", args.id, "NAME", "The job's name (default: made up)");
  add_value(verb, "--job", args.job, "FILE",
            "Stages whose outputs are the next ones' inputs, as JSON (docs/fleet.md)");
  add_value(verb, "--at-once", args.concurrency, "NUMBER",
            "No more than this at the same time (default: as many as there are endpoints)");
  add_value(verb, "--input", args.input, "FILE", "What every instance reads; - is stdin");
  add_value(verb, "--inputs", args.inputs, "FILE",
            "One instance for each line, which reads that line; - is stdin");
}

void add_place_options(CLI::App& verb, Args& args) {
  add_switch(verb, "--here", args.here, "On this node, without an agent");
  add_value(verb, "--place", args.place, "round-robin|most-free",
            "Which node gets the next instance (default: round-robin)");
  add_value(verb, "--backend", args.backend, "builtin|runc|containerd",
            "With --here: what starts the instances (default: builtin)");
  add_start_options(verb, args.agent, args.enforce, args.events, args.timeline);
}

}  // namespace

void add_fleet_run(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"fleet-run",
       "--pool NAME [--count N] [--image IMAGE] [--input FILE] [--agent FILE] [OPTIONS] -- "
       "COMMAND "
       "[ARGUMENT...]\n"
       "--job FILE [--agent FILE] [--events FILE] [--timeline FILE]",
       "Runs many instances of one function, each a container with an address of its own in the "
       "pool. "
       "`particle fleet run` is the same verb.\n\n"
       "With an agent the instances go to the nodes of its fleet, and one whose node is lost is "
       "started anew elsewhere when --retries allows; without one they run here. More instances "
       "than "
       "endpoints wait for their turn. Ctrl-C ends the job: nothing is left.\n\n"
       "What instances write to stdout and stderr goes there, each line behind `[INSTANCE]` when "
       "there "
       "are several. At the end: how many ended well, how long it took from the request until an "
       "instance ran, and what failed first in each way, with what to do. docs/fleet.md has more.",
       "# A thousand containers, and how long each took to run:\n"
       "particle fleet run --count 1000 --pool job -- true\n"
       "\n"
       "# One container for each line of a file, with limits, and a picture of what happened:\n"
       "particle fleet run --pool job --inputs urls.txt --memory 64M --timeout 30s --retries 2 \\\n"
       "  --timeline job.svg -- /usr/bin/fetch\n"});
  add_job_options(verb, *args);
  add_function_options(verb, *args);
  add_place_options(verb, *args);
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
