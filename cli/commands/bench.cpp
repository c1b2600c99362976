// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "bench/tables.hpp"
#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "harness/conduct.hpp"
#include "harness/result_file.hpp"
#include "input.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "signals.hpp"
#include "text.hpp"
#include "verb.hpp"

namespace particle::cli {
namespace {

constexpr std::uint64_t kMostEndpoints = 65000;
constexpr std::uint64_t kMostRepeats = 1000;
constexpr std::uint64_t kMostMinutes = 7 * 24 * 60;
constexpr std::chrono::seconds kQuickBudget{40};

struct Args {
  std::vector<std::string> designs;
  std::vector<std::string> endpoints;
  Value repeats;
  Value minutes;
  Value out;
  bool quick = false;
  bool although_busy = false;
};

Result<std::uint64_t> parse_endpoints(std::string_view text) {
  auto count = parse_count(text);
  if (count && (*count == 0 || *count > kMostEndpoints)) {
    return fail(Error::of(Errc::invalid_argument, "endpoints", "1 to 65000"));
  }
  return count;
}

Result<std::uint64_t> parse_repeats(std::string_view text) {
  auto count = parse_count(text);
  if (count && (*count == 0 || *count > kMostRepeats)) {
    return fail(Error::of(Errc::invalid_argument, "repeats", "1 to 1000"));
  }
  return count;
}

Result<std::uint64_t> parse_minutes(std::string_view text) {
  auto count = parse_count(text);
  if (count && (*count == 0 || *count > kMostMinutes)) {
    return fail(Error::of(Errc::invalid_argument, "minutes", "1 to 10080"));
  }
  return count;
}

Result<const bench::Design*> parse_design(std::string_view text) {
  if (const auto* design = bench::find_design(text)) return design;
  std::vector<std::string> names;
  for (const auto& design : bench::designs()) names.emplace_back(design.name);
  return fail(Error::of(Errc::invalid_argument, "design", "one of " + join_words(names)));
}

/// In the order of bench-list, each once.
std::vector<const bench::Design*> take_designs(Input& input, const Args& args) {
  std::set<const bench::Design*> wanted;
  for (const auto& name : args.designs) {
    wanted.insert(input.take<const bench::Design*>("--design", name, parse_design, nullptr));
  }
  std::vector<const bench::Design*> out;
  for (const auto& design : bench::designs()) {
    if (args.designs.empty() || wanted.contains(&design)) out.push_back(&design);
  }
  return out;
}

using Sizes = std::vector<std::uint64_t>;

/// For either kind of design, where the caller names none.
Sizes default_endpoints(bool quick) {
  return quick ? Sizes{1, 10, 100} : Sizes{1, 10, 100, 400, 1000, 1600, 10000, 65000};
}
Sizes default_containers(bool quick) {
  return quick ? Sizes{4} : Sizes{1, 10, 100};
}

Sizes take_endpoints(Input& input, const Args& args) {
  std::set<std::uint64_t> sizes;
  for (const auto& text : args.endpoints) {
    sizes.insert(input.take<std::uint64_t>("--endpoints", text, parse_endpoints, 1));
  }
  return {sizes.begin(), sizes.end()};
}

Result<bench::Settings> read_settings(const Args& args) {
  Input input;
  bench::Settings settings;
  settings.designs = take_designs(input, args);
  settings.endpoints = take_endpoints(input, args);
  settings.containers = settings.endpoints;
  if (args.endpoints.empty()) {
    settings.endpoints = default_endpoints(args.quick);
    settings.containers = default_containers(args.quick);
  }
  settings.quick = args.quick;
  settings.although_busy = args.although_busy;
  settings.repeats =
      static_cast<unsigned>(input.take<std::uint64_t>("--repeats", args.repeats, parse_repeats)
                                .value_or(args.quick ? 3 : 5));
  if (args.quick) settings.budget = kQuickBudget;
  if (const auto minutes = input.take<std::uint64_t>("--minutes", args.minutes, parse_minutes)) {
    settings.budget = std::chrono::minutes(*minutes);
  }
  if (auto ok = input.verdict(); !ok) return fail(ok.error());
  return settings;
}

std::string document(const bench::Record& record) {
  return bench::to_json(record).dump(1) + "\n";
}

/// Writes the results where --out says. What cannot be written there goes to stdout, so that no
/// measurement is lost; the error is returned all the same.
Result<void> keep(const Context& context, const std::optional<bench::ResultFile>& file,
                  const bench::Record& record) {
  if (!file) return {};
  auto saved = file->save(document(record));
  if (saved) return {};
  Error error = std::move(saved.error());
  error.hint = "the results are on stdout instead; nothing of what was measured is lost";
  if (!context.json) print(document(record));
  return fail(std::move(error));
}

bench::Watch make_watch(const Context& context, Progress& progress,
                        const std::optional<bench::ResultFile>& file) {
  bench::Watch watch;
  watch.stop = stop_on_signals();
  watch.progress = [&](const std::string& what, std::size_t done, std::size_t all) {
    progress.set_label(what);
    progress.update(done, all);
  };
  watch.warn = [&](const std::string& text) {
    progress.clear();
    print_warning(context, text);
  };
  watch.checkpoint = [&, warned = false](const bench::Record& record) mutable {
    if (!file || warned) return;
    if (auto saved = file->save(document(record)); !saved) {
      warned = true;
      progress.clear();
      print_warning(context, saved.error().message() + "; measuring goes on");
    }
  };
  return watch;
}

Result<int> run(Context& context, const Args& args) {
  auto settings = read_settings(args);
  if (!settings) return fail(std::move(settings.error()));
  std::optional<bench::ResultFile> file;
  if (args.out) {
    auto opened = bench::ResultFile::open(args.out.text);
    if (!opened) return fail(std::move(opened.error()));
    file.emplace(std::move(*opened));
  }
  Progress progress;
  const auto watch = make_watch(context, progress, file);
  auto record = bench::conduct(*settings, watch);
  progress.clear();
  if (!record) return fail(std::move(record.error()));
  if (context.json) {
    print_json(bench::to_json(*record));
  } else {
    print(bench_to_text(*record, Style::of_stdout(context)));
  }
  if (auto kept = keep(context, file, *record); !kept) {
    Context plain = context;
    plain.json = false;  // stdout has the results
    return print_error(plain, kept.error());
  }
  if (file && !context.json) {
    print("\nWrote " + args.out.text + "; `particle bench report " + args.out.text +
          "` makes a page of it.\n");
  }
  return record->complete ? kExitOk : kExitInterrupted;
}

}  // namespace

void add_bench(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"bench",
       "[--design D]... [--endpoints N]... [--repeats R] [--minutes M] [--quick] [--although-busy] "
       "[--out FILE]",
       "Measures what connecting N endpoints costs on this machine: the usual way (one ip command "
       "per step, as the paper's baseline), the designs on the way to Particle, and Particle. Time "
       "until the endpoints are usable, time until they are gone, the steps of figure 3.1, kernel "
       "memory per endpoint. Then the same question with real containers, for every engine that is "
       "installed: Docker, containerd and Podman start 1, 10 and 100 of them without network, on "
       "their own bridge, on Docker's Swarm overlay, and in a pool. `particle bench list` explains "
       "the designs; an engine that is not here is skipped by name.\n\n"
       "Everything happens in namespaces of its own, with daemons of its own; nothing of this "
       "machine is touched, and nothing is left: Ctrl-C and even a kill end every container and "
       "daemon. The designs take turns, in an order that moves on from round to round, after a "
       "round that only warms up. On a busy machine it refuses (exit code 7). Results are saved "
       "after every round; a run that is interrupted keeps what it has measured (exit code "
       "130).\n\n"
       "All designs at all sizes, five times, take hours; --minutes gives what takes longest fewer "
       "repeats; --quick takes under a minute.",
       "particle bench --quick\n"
       "\n"
       "# The whole thing, and a page to look at:\n"
       "particle bench --minutes 60 --out results.json\n"
       "particle bench report results.json -o report.html\n"
       "\n"
       "# Only Particle, at two sizes, often:\n"
       "particle bench --design consolidated --design anyip --endpoints 100 --endpoints 1000 "
       "--repeats 31\n"
       "\n"
       "# 20 containers on Docker's bridge, and in a pool:\n"
       "particle bench --design docker-bridge --design docker-particle --endpoints 20\n"
       "\n"
       "# Did it become slower?\n"
       "particle bench compare before.json after.json\n"});
  add_values(verb, "--design", args->designs, "DESIGN",
             "A design of `particle bench list` (default: all)");
  add_values(
      verb, "--endpoints", args->endpoints, "N",
      "A number of endpoints or containers, up to 65000 (default: 1, 10, 100, 400, 1000, 1600, "
      "10000 and 65000, containers 1, 10 and 100, each where the design can)");
  add_value(verb, "--repeats", args->repeats, "R",
            "How often each is measured (default: 5, with --quick 3)");
  add_value(verb, "--minutes", args->minutes, "M",
            "End after about so long: what takes longest gets fewer repeats; the first round is "
            "always whole");
  add_switch(verb, "--quick", args->quick,
             "1, 10 and 100 endpoints, 4 containers, about 40 seconds; never refuses");
  add_switch(verb, "--although-busy", args->although_busy,
             "Measure although other programs keep the machine busy; the results say so");
  add_value(verb, "--out", args->out, "FILE", "Write the results there, as JSON");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
