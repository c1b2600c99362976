// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <chrono>

#include <unistd.h>

#include "commands/commands.hpp"
#include "commands/fleet_common.hpp"
#include "input.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value action, spec, pool, agent, strategy, transfer, store, chunk, concurrency, capacity, timeout,
      retries, lead, image, worker, enforce, events, timeline;
  std::vector<std::string> inputs, outputs, nodes;
  bool local = false;
  bool duplicate_stragglers = false;
};

using Bindings = std::map<std::uint64_t, std::string>;

/// "0=in.mp4"; "in.mp4" is input 0.
void take_binding(Input& input, const std::string& option, const std::string& text, Bindings& out) {
  const auto equals = text.find('=');
  std::uint64_t number = 0;
  std::string value = text;
  if (equals != std::string::npos) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + equals, number);
    if (error == std::errc{} && end == text.data() + equals) {
      value = text.substr(equals + 1);
    } else {
      number = 0;
    }
  }
  if (!out.emplace(number, value).second) {
    input.invalid(option + " " + text, "number " + std::to_string(number) + " is given twice");
  }
}

Result<FleetPipelineRequest::Action> parse_action(std::string_view text) {
  if (text == "run") return FleetPipelineRequest::Action::run;
  if (text == "check") return FleetPipelineRequest::Action::check;
  if (text == "list") return FleetPipelineRequest::Action::list;
  return fail(Error::of(Errc::invalid_argument, {}, "run, check or list"));
}

std::string new_id() {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  return "pipeline-" + std::to_string(now % 10'000'000'000) + "-" + std::to_string(::getpid());
}

void take_options(Input& input, const Args& args, sprocket::PipelineOptions& options) {
  using std::chrono::milliseconds;
  for (const std::string& text : args.inputs) take_binding(input, "--input", text, options.inputs);
  for (const std::string& text : args.outputs) {
    take_binding(input, "--output", text, options.outputs);
  }
  options.strategy =
      input.take<sprocket::Strategy>("--strategy", args.strategy, sprocket::parse_strategy)
          .value_or(options.strategy);
  options.transfer =
      input.take<sprocket::Transfer>("--transfer", args.transfer, sprocket::parse_transfer)
          .value_or(options.transfer);
  if (args.store) options.store = args.store.text;
  options.chunk =
      input.take<milliseconds>("--chunk", args.chunk, parse_duration).value_or(options.chunk);
  options.lead =
      input.take<milliseconds>("--lead", args.lead, parse_duration).value_or(options.lead);
  options.task_timeout = input.take<milliseconds>("--task-timeout", args.timeout, parse_duration)
                             .value_or(options.task_timeout);
  options.concurrency =
      input.take<std::uint64_t>("--at-once", args.concurrency, parse_count).value_or(0);
  options.capacity = input.take<std::uint64_t>("--alive", args.capacity, parse_count).value_or(0);
  options.retries = static_cast<std::uint32_t>(
      input.take<std::uint64_t>("--retries", args.retries, parse_whole).value_or(options.retries));
  options.duplicate_stragglers = args.duplicate_stragglers;
  options.nodes = args.nodes;
}

void take_where(Input& input, const Args& args, FleetPipelineRequest& request) {
  request.local = args.local;
  if (args.agent) request.agent = args.agent.text;
  fleet::JobSpec& job = request.options.job;
  job.id = new_id();
  if (args.image) job.function.image = args.image.text;
  job.function.enforce =
      input.take<bind::Mechanism>("--enforce", args.enforce, bind::parse_mechanism)
          .value_or(job.function.enforce);
  if (args.worker) request.worker = args.worker.text;
  if (args.local && (args.pool || args.agent)) {
    input.invalid("--local together with --pool or --agent", "choose one");
  }
  if (args.pool) {
    job.pool = args.pool.text;
    input.check_name("pool name", job.pool);
  } else if (!args.local && request.action == FleetPipelineRequest::Action::run) {
    input.invalid("neither --pool nor --local is given",
                  "--pool NAME runs the workers as containers, --local as plain processes");
  }
}

Result<FleetPipelineRequest> read_request(const Args& args) {
  Input input;
  FleetPipelineRequest request;
  if (input.require("ACTION", args.action)) {
    request.action = input.take<FleetPipelineRequest::Action>("ACTION", args.action, parse_action)
                         .value_or(request.action);
  }
  if (request.action != FleetPipelineRequest::Action::list) {
    if (input.require("PIPESPEC", args.spec)) request.spec = args.spec.text;
  }
  take_options(input, args, request.options);
  take_where(input, args, request);
  if (args.events) request.events = args.events.text;
  if (args.timeline) request.timeline = args.timeline.text;
  if (auto ok = input.verdict(); !ok) return fail(std::move(ok.error()));
  return request;
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.spec.text;
  auto request = read_request(args);
  if (!request) return fail(std::move(request.error()));
  return run_fleet(context, {std::move(*request)});
}

void add_pipeline_options(CLI::App& verb, Args& args) {
  add_values(verb, "--input", args.inputs, "N=FILE",
             "The video that is input_N (without N=: input_0); may be repeated");
  add_values(verb, "--output", args.outputs, "N=FILE",
             "Where output_N goes: a file; with %03d in its name a file per chunk; .mpd for "
             "MPEG-DASH; null: for nowhere");
  add_value(verb, "--chunk", args.chunk, "TIME", "How much video makes a chunk (default: 1s)");
  add_value(verb, "--strategy", args.strategy, "overall-time|first-frame|streaming",
            "Which task comes first when not all can run at once (default: overall-time)");
  add_value(verb, "--lead", args.lead, "TIME",
            "streaming: how long before it is shown a chunk may be there (default: 2s)");
  add_value(verb, "--transfer", args.transfer, "direct|store",
            "Workers pull from each other, or through files (default: direct)");
  add_value(verb, "--store", args.store, "DIR", "Where those files are (default: /tmp)");
  add_value(verb, "--at-once", args.concurrency, "NUMBER",
            "Workers that work at the same time (default: twice the processors with --local, else "
            "as many as there are endpoints)");
  add_value(verb, "--alive", args.capacity, "NUMBER",
            "Workers alive at the same time, those that are only pulled from included (default: as "
            "many as there are endpoints)");
  add_value(verb, "--task-timeout", args.timeout, "TIME",
            "After this long a worker counts as hanging (default: 60s)");
  add_value(verb, "--retries", args.retries, "NUMBER",
            "How often a task that failed is tried again (default: 2)");
  add_switch(
      verb, "--duplicate-stragglers", args.duplicate_stragglers,
      "A task that takes far longer than others of its stage gets a second worker when there "
      "is room; what ends first counts");
}

void add_place_options(CLI::App& verb, Args& args) {
  add_switch(verb, "--local", args.local,
             "Plain processes on this machine: no pool, no containers");
  add_value(verb, "--pool", args.pool, "POOL", "The pool, of every node that takes part");
  add_values(verb, "--node", args.nodes, "NAME",
             "Stage after stage on these nodes in turn (default: each worker where there is room); "
             "may be repeated");
  add_value(verb, "--image", args.image, "IMAGE",
            "The workers' root: a directory, or oci:DIRECTORY[:TAG], with ffmpeg (default: the "
            "node's own, read-only)");
  add_value(verb, "--worker", args.worker, "FILE",
            "The program particle-worker on the nodes (default: the one beside this program)");
  add_start_options(verb, args.agent, args.enforce, args.events, args.timeline);
}

}  // namespace

void add_fleet_pipeline(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"fleet-pipeline",
       "run PIPESPEC --input N=FILE --output N=FILE (--pool POOL | --local) [OPTIONS]\n"
       "check PIPESPEC\n"
       "list",
       "Runs a video pipeline: cuts its inputs into chunks, starts a worker for every chunk and "
       "stage as soon as what it needs is there, and joins what the last stage makes. Workers pull "
       "their frames straight from the workers before them. `particle fleet pipeline` is the same "
       "verb.\n\n"
       "A PIPESPEC is a file, or the name of one that comes along: `list` names them. `check` says "
       "everything that is wrong with one, with lines. docs/pipelines.md shows how to write one's "
       "own.\n\n"
       "Inputs, and the directories of outputs, must be there under the same path on every node. "
       "A task whose worker crashes, hangs or is killed is tried again; what fails for good ends "
       "the run, and nothing is left of its outputs. So does Ctrl-C.",
       "particle fleet pipeline run grayscale --local --input in.mp4 --output out.mp4\n"
       "\n"
       "# Each stage on a node of its own, and where the time went:\n"
       "particle fleet pipeline run blend --pool job --node n1 --node n2 --node n3 \\\n"
       "  --input 0=a.mp4 --input 1=b.mp4 --output 0=out.mp4 --timeline blend.svg\n"
       "\n"
       "particle fleet pipeline check my.json\n"});
  add_value(verb, "ACTION", args->action, "run|check|list", "What to do");
  add_value(verb, "PIPESPEC", args->spec, "FILE", "The pipespec");
  add_pipeline_options(verb, *args);
  add_place_options(verb, *args);
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
