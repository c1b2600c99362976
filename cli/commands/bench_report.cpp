// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/png.hpp"
#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "harness/result_file.hpp"
#include "harness/statements.hpp"
#include "input.hpp"
#include "output.hpp"
#include "report/page.hpp"
#include "report/picture.hpp"
#include "trace/trace.hpp"
#include "verb.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value results, page, csv, png;
  std::vector<std::string> traces, programs;
};

/// report.html for results.json, beside it.
std::string default_page(const std::string& results) {
  const std::string_view ending = ".json";
  const bool has_ending = results.size() > ending.size() && results.ends_with(ending);
  return (has_ending ? results.substr(0, results.size() - ending.size()) : results) + ".html";
}

Result<void> write(const std::string& path, const std::string& text) {
  const auto file = bench::ResultFile::open(path);
  if (!file) return fail(file.error());
  return file->save(text);
}

nlohmann::json statements_json(const bench::Record& record) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& each : bench::statements(record)) {
    out.push_back({{"claim", each.claim},
                   {"holds", each.holds ? nlohmann::json(*each.holds) : nlohmann::json(nullptr)},
                   {"measured", each.measured}});
  }
  return out;
}

/// Adds what `particle trace --out` wrote to the record.
Result<void> add_traces(const Args& args, bench::Record& record) {
  for (const auto& path : args.traces) {
    const auto text = bench::read_text(path);
    if (!text) return fail(text.error());
    const auto trace = trace::parse_trace(*text, path);
    if (!trace) return fail(trace.error());
    record.traces.push_back(trace::to_json(*trace));
  }
  return {};
}

/// Adds what bench/run wrote.
Result<void> add_programs(const Args& args, bench::Record& record) {
  for (const auto& path : args.programs) {
    const auto text = bench::read_text(path);
    if (!text) return fail(text.error());
    const auto programs = bench::parse_programs(*text, path);
    if (!programs) return fail(programs.error());
    for (const auto& program : *programs) record.programs.push_back(program);
  }
  return {};
}

/// Every chart and flame graph, into a directory; the files' paths.
Result<std::vector<std::string>> write_pictures(const std::string& directory,
                                                const bench::Record& record) {
  std::vector<bench::Picture> all = bench::pictures(record);
  for (std::size_t i = 0; i < record.traces.size(); ++i) {
    const auto trace = trace::parse_trace(record.traces[i].dump(), "the trace");
    if (!trace) return fail(trace.error());
    auto flame = trace::flame_graph(trace->seen.entries, "what the kernel did", true);
    if (!flame.empty()) all.push_back({"flame-" + std::to_string(i + 1), std::move(flame)});
  }
  std::vector<std::string> paths;
  paths.reserve(all.size());
  for (const auto& picture : all) {
    paths.push_back(directory + "/" + picture.name + ".png");
    if (auto done = write_png(picture.svg, paths.back()); !done) {
      return fail(std::move(done.error()));
    }
  }
  return paths;
}

Result<int> run(Context& context, const Args& args) {
  Input input;
  input.require("RESULTS", args.results);
  if (auto ok = input.verdict(); !ok) return fail(ok.error());
  auto record = bench::read_record(args.results.text);
  if (!record) return fail(record.error());
  if (auto done = add_traces(args, *record); !done) return fail(std::move(done.error()));
  if (auto done = add_programs(args, *record); !done) return fail(std::move(done.error()));
  const std::string page = args.page ? args.page.text : default_page(args.results.text);
  if (auto done = write(page, bench::to_html(*record)); !done) return fail(std::move(done.error()));
  if (args.csv) {
    if (auto done = write(args.csv.text, bench::to_csv(*record)); !done) {
      return fail(std::move(done.error()));
    }
  }
  std::vector<std::string> pictures;
  if (args.png) {
    auto written = write_pictures(args.png.text, *record);
    if (!written) return fail(std::move(written.error()));
    pictures = std::move(*written);
  }
  if (context.json) {
    print_json({{"page", page},
                {"pictures", pictures},
                {"csv", args.csv ? nlohmann::json(args.csv.text) : nlohmann::json(nullptr)},
                {"statements", statements_json(*record)}});
  } else {
    print("Wrote " + page + (args.csv ? " and " + args.csv.text : "") + "\n");
    for (const auto& path : pictures) print("Wrote " + path + "\n");
  }
  return kExitOk;
}

}  // namespace

void add_bench_report(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"bench-report",
       "RESULTS [-o FILE] [--csv FILE] [--png DIR] [--trace FILE]... [--programs FILE]...",
       "Makes a page of what `particle bench --out` measured: figure 3.2 and tables 3.2 and 3.3 of "
       "the dissertation with the paper's figures beside these, teardown, memory, and what must "
       "hold, decided by the data. One HTML file with everything in it: no network, light and "
       "dark, "
       "readable on a phone, each figure with its table.\n\n"
       "--png draws each chart and flame graph into a file of its own, by rsvg-convert (Debian's "
       "librsvg2-bin). `particle bench report` is the same.",
       "particle bench --quick --out results.json\n"
       "particle bench report results.json -o report.html --csv results.csv\n"
       "\n"
       "# With what the kernel did in a run of the baseline:\n"
       "particle trace --out trace.json -- particle bench --design ip-commands --endpoints 100 "
       "--repeats 1\n"
       "particle bench report results.json --trace trace.json\n"});
  add_value(verb, "RESULTS", args->results, "FILE", "What `particle bench --out` wrote");
  add_value(verb, "-o,--output", args->page, "FILE",
            "The page (default: RESULTS with the ending .html)");
  add_value(verb, "--csv", args->csv, "FILE", "Also write every figure as comma-separated values");
  add_value(verb, "--png", args->png, "DIR",
            "Also draw every chart there, as a PNG file named after its section");
  add_values(verb, "--trace", args->traces, "FILE",
             "Also show what `particle trace --out` wrote; may be given several times");
  add_values(verb, "--programs", args->programs, "FILE",
             "Also show what bench/run recorded, table 3.1 among it; may be given several times");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
