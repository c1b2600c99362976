// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <filesystem>

#include "commands/commands.hpp"
#include "demo/demo.hpp"
#include "demo/lodging.hpp"
#include "demo/overlay/overlay_demo.hpp"
#include "demo/pipeline/pipeline_demo.hpp"
#include "demo/report.hpp"
#include "exit_codes.hpp"
#include "harness/fleet.hpp"
#include "input.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "signals.hpp"
#include "verb.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value endpoints;
  Value mode;
  Value family;
  Value remove;
  Value overlay;
  Value nodes;
  Value seconds;
  bool no_baseline = false;
  bool keep = false;
  bool pipeline = false;
};

enum class Families : std::uint8_t { v4, v6, both };

Result<Families> parse_families(std::string_view text) {
  if (text == "v4") return Families::v4;
  if (text == "v6") return Families::v6;
  if (text == "both") return Families::both;
  return fail(Error::of(Errc::invalid_argument, "family", "one of v4, v6, both"));
}

Result<std::uint64_t> parse_endpoints(std::string_view text) {
  auto count = parse_count(text);
  if (count && (*count == 0 || *count > demo::kMaxDemoEndpoints)) {
    return fail(Error::of(Errc::invalid_argument, "endpoints",
                          "1 to " + std::to_string(demo::kMaxDemoEndpoints)));
  }
  return count;
}

Result<demo::Options> read_options(const Args& args) {
  Input input;
  demo::Options options;
  options.endpoints = input.take<std::uint64_t>("--endpoints", args.endpoints, parse_endpoints)
                          .value_or(options.endpoints);
  options.mode =
      input.take<AddressMode>("--mode", args.mode, parse_address_mode).value_or(options.mode);
  const auto families =
      input.take<Families>("--family", args.family, parse_families).value_or(Families::v4);
  options.v4 = families != Families::v6;
  options.v6 = families != Families::v4;
  options.baseline = !args.no_baseline;
  options.keep = args.keep;
  if (auto ok = input.verdict(); !ok) return fail(ok.error());
  return options;
}

/// The path of this program, for the commands that the report shows.
std::string program_path() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "particle" : path.string();
}

Result<int> remove_demo(Context& context, const std::string& directory) {
  if (auto done = demo::remove_kept(directory); !done) return fail(std::move(done.error()));
  if (context.json) {
    print_json({{"removed", directory}});
  } else {
    print("removed " + directory + " and everything in it\n");
  }
  return kExitOk;
}

Result<std::string> parse_overlay(std::string_view text) {
  if (text == "etcd" || text == "evpn") return std::string(text);
  return fail(Error::of(Errc::invalid_argument, "overlay", "one of etcd, evpn"));
}

Result<std::uint64_t> parse_nodes(std::string_view text) {
  auto count = parse_count(text);
  if (count && (*count < 2 || *count > bench::kMaxFleet)) {
    return fail(
        Error::of(Errc::invalid_argument, "nodes", "2 to " + std::to_string(bench::kMaxFleet)));
  }
  return count;
}

Result<demo::OverlayOptions> read_overlay_options(const Args& args) {
  Input input;
  demo::OverlayOptions options;
  options.overlay =
      input.take<std::string>("--overlay", args.overlay, parse_overlay).value_or("etcd");
  options.nodes = static_cast<std::size_t>(
      input.take<std::uint64_t>("--nodes", args.nodes, parse_nodes).value_or(options.nodes));
  options.endpoints = input.take<std::uint64_t>("--endpoints", args.endpoints, parse_endpoints)
                          .value_or(options.endpoints);
  options.mode =
      input.take<AddressMode>("--mode", args.mode, parse_address_mode).value_or(options.mode);
  if (args.keep || args.family) {
    input.invalid("--overlay", "does not go with --keep or --family");
  }
  if (auto ok = input.verdict(); !ok) return fail(ok.error());
  return options;
}

demo::Watch watch_with(Progress& progress) {
  demo::Watch watch;
  watch.stop = stop_on_signals();
  watch.progress = [&](const std::string& what, std::uint64_t done, std::uint64_t all) {
    progress.set_label(what);
    progress.update(done, all);
  };
  return watch;
}

/// Shows what a demo found; the exit code says whether everything was proven.
template <class Options, class Facts>
Result<int> run_and_show(Context& context, const Result<Options>& options,
                         Result<Facts> (*demonstrate)(const Options&, const demo::Watch&)) {
  if (!options) return fail(options.error());
  Progress progress;
  const demo::Watch watch = watch_with(progress);
  auto facts = demonstrate(*options, watch);
  progress.clear();
  if (!facts) return fail(std::move(facts.error()));
  if (context.json) {
    print_json(demo::to_json(*facts));
  } else {
    print(demo::to_text(*facts, Style::of_stdout(context)));
  }
  return facts->proven() ? kExitOk : kExitKernel;
}

Result<std::uint64_t> parse_seconds(std::string_view text) {
  auto count = parse_count(text);
  if (count && (*count == 0 || *count > demo::kMostPipelineSeconds)) {
    return fail(Error::of(Errc::invalid_argument, "seconds",
                          "1 to " + std::to_string(demo::kMostPipelineSeconds)));
  }
  return count;
}

Result<demo::PipelineOptions> read_pipeline_options(const Args& args) {
  Input input;
  demo::PipelineOptions options;
  options.seconds =
      input.take<std::uint64_t>("--seconds", args.seconds, parse_seconds).value_or(options.seconds);
  if (!args.pipeline) input.invalid("--seconds", "goes with --pipeline only");
  if (args.keep || args.family || args.mode || args.endpoints || args.overlay || args.nodes ||
      args.no_baseline) {
    input.invalid("--pipeline", "goes with --seconds only");
  }
  if (auto ok = input.verdict(); !ok) return fail(ok.error());
  return options;
}

Result<int> run(Context& context, const Args& args) {
  if (args.remove) return remove_demo(context, args.remove.text);
  if (args.pipeline || args.seconds) {
    return run_and_show(context, read_pipeline_options(args), demo::run_pipeline);
  }
  if (args.overlay || args.nodes) {
    return run_and_show(context, read_overlay_options(args), demo::run_overlay);
  }
  auto options = read_options(args);
  if (!options) return fail(std::move(options.error()));

  Progress progress;
  const demo::Watch watch = watch_with(progress);
  auto facts = demo::run(*options, watch);
  progress.clear();
  if (!facts) return fail(std::move(facts.error()));
  if (context.json) {
    print_json(demo::to_json(*facts, program_path()));
  } else {
    print(demo::to_text(*facts, Style::of_stdout(context), demo::Pen::of_environment(),
                        program_path()));
  }
  return facts->proven() ? kExitOk : kExitKernel;
}

}  // namespace

void add_demo(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"demo",
       "[--endpoints N] [--mode auto|secondary|anyip] [--family v4|v6|both] [--no-baseline] "
       "[--keep | --remove DIR] | demo --overlay etcd|evpn [--nodes N] [--endpoints N] | "
       "demo --pipeline [--seconds N]",
       "Makes two nodes (network namespaces of its own, with a link between them), two tenants "
       "with "
       "the same addresses and a pool of endpoints on each node for each of them; sends real TCP "
       "from every endpoint; proves that tenants reach neither each other nor the node; and does "
       "the same job the usual way, a namespace and a veth pair per container, to compare.\n\n"
       "Nothing of this machine is touched, and nothing is left behind. It needs no privileges "
       "where "
       "the kernel lets users make user namespaces. Exit code 0 means that everything was "
       "proven.\n\n"
       "With --overlay the nodes, as many as wanted, find each other through a real control plane: "
       "an "
       "etcd, or FRR's zebra and bgpd on every node, private to the demo, and an agent on every "
       "node. It "
       "shows how long a new pool takes until packets of all other nodes arrive there.\n\n"
       "With --pipeline a synthetic video is turned gray by containers of two nodes, one for each "
       "second and stage, each with an address of its own; it shows where their time went. Needs "
       "ffmpeg, and particle-fleet beside this program.",
       "particle demo\n"
       "\n"
       "# A thousand endpoints in each pool, both families, without the slow comparison:\n"
       "particle demo --endpoints 1000 --family both --no-baseline\n"
       "\n"
       "# Leave it up to look around; it says how to remove it:\n"
       "particle demo --keep\n"
       "\n"
       "# Four nodes that find each other through BGP EVPN; the same with an etcd:\n"
       "particle demo --overlay evpn --nodes 4\n"
       "particle demo --overlay etcd --nodes 4\n"
       "\n"
       "# A video pipeline of containers on two nodes:\n"
       "particle demo --pipeline\n"});
  add_value(verb, "--endpoints", args->endpoints, "N", "Endpoints in each pool (default: 100)");
  add_value(verb, "--mode", args->mode, "auto|secondary|anyip", "Address mode (default: auto)");
  add_value(verb, "--family", args->family, "v4|v6|both", "Address families (default: v4)");
  verb.add_flag("--no-baseline", args->no_baseline, "Do not do the job the usual way");
  auto* keep =
      verb.add_flag("--keep", args->keep, "Leave everything up and say how to look around");
  add_value(verb, "--overlay", args->overlay, "etcd|evpn",
            "Nodes that find each other through this control plane");
  add_value(verb, "--nodes", args->nodes, "N", "With --overlay: how many nodes (default: 4)");
  add_switch(verb, "--pipeline", args->pipeline,
             "A video pipeline of containers on two nodes, and where the time went");
  add_value(verb, "--seconds", args->seconds, "N",
            "With --pipeline: how much video, a container a second and stage (default: 10)");
  add_value(verb, "--remove", args->remove, "DIR", "Remove what --keep left at DIR")
      ->excludes(keep);
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
