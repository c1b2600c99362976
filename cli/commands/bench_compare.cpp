// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "bench/tables.hpp"
#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "harness/compare.hpp"
#include "input.hpp"
#include "output.hpp"
#include "verb.hpp"

namespace particle::cli {
namespace {

using nlohmann::json;

struct Args {
  Value before, after, confidence, threshold;
};

/// A percentage between the limits, exclusive, as a share.
Result<double> parse_percent(std::string_view text, double above, double below,
                             const char* expected) {
  const std::string whole(text);
  char* end = nullptr;
  const double value = std::strtod(whole.c_str(), &end);
  const bool number = !whole.empty() && *end == '\0' && std::isfinite(value);
  if (!number || value <= above || value >= below) {
    return fail(Error::of(Errc::invalid_argument, "percentage", expected));
  }
  return value / 100;
}

Result<double> parse_confidence(std::string_view text) {
  return parse_percent(text, 50, 100, "a percentage above 50 and below 100");
}

Result<double> parse_threshold(std::string_view text) {
  return parse_percent(text, 0, 1000, "a percentage above 0");
}

json to_json(const bench::Line& line) {
  const auto& shift = line.shift;
  return {{"design", line.design},
          {"endpoints", line.endpoints},
          {"what", line.what},
          {"before_ms", line.before_ms},
          {"after_ms", line.after_ms},
          {"ratio", shift.ratio},
          {"low", shift.low ? json(*shift.low) : json(nullptr)},
          {"high", shift.high ? json(*shift.high) : json(nullptr)},
          {"p", shift.p},
          {"change", to_string(line.change)}};
}

json to_json(const bench::RunComparison& comparison, const bench::ComparisonOptions& options) {
  json lines = json::array();
  for (const auto& line : comparison.lines) lines.push_back(to_json(line));
  return {{"confidence", options.confidence},
          {"threshold", options.threshold},
          {"slower", comparison.count(bench::Change::slower)},
          {"faster", comparison.count(bench::Change::faster)},
          {"lines", lines},
          {"warnings", comparison.warnings}};
}

Result<int> run(Context& context, const Args& args) {
  Input input;
  input.require("BEFORE", args.before);
  input.require("AFTER", args.after);
  bench::ComparisonOptions options;
  options.confidence = input.take<double>("--confidence", args.confidence, parse_confidence)
                           .value_or(options.confidence);
  options.threshold = input.take<double>("--threshold", args.threshold, parse_threshold)
                          .value_or(options.threshold);
  if (auto ok = input.verdict(); !ok) return fail(ok.error());
  const auto before = bench::read_record(args.before.text);
  if (!before) return fail(before.error());
  const auto after = bench::read_record(args.after.text);
  if (!after) return fail(after.error());

  const auto comparison = bench::compare(*before, *after, options);
  if (comparison.lines.empty()) {
    return fail(Error::of(Errc::invalid_argument, "the two runs have no figure in common",
                          "measure the same designs and sizes in both"));
  }
  if (context.json) {
    print_json(to_json(comparison, options));
  } else {
    print(comparison_to_text(comparison, options, Style::of_stdout(context)));
  }
  return comparison.count(bench::Change::slower) > 0 ? kExitKernel : kExitOk;
}

}  // namespace

void add_bench_compare(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"bench-compare", "BEFORE AFTER [--confidence PERCENT] [--threshold PERCENT]",
       "Compares two results of `particle bench`, figure by figure, and says what became slower or "
       "faster. The ratio is the median of all ratios of a time of AFTER to one of BEFORE, its "
       "interval that of the exact rank test of Mann and Whitney: no normality is assumed, and "
       "single wild values move neither. A figure counts as slower when the whole interval lies "
       "above the threshold. Fewer than 4 repeats can never be sure with 95% confidence.\n\n"
       "Exit code 0 when nothing became slower, 1 when something did. `particle bench compare` is "
       "the same.",
       "particle bench compare before.json after.json\n"
       "\n"
       "# In CI, only what is sure to be 20% slower:\n"
       "particle bench compare main.json branch.json --threshold 20 --confidence 99\n"});
  add_value(verb, "BEFORE", args->before, "FILE", "What `particle bench --out` wrote first");
  add_value(verb, "AFTER", args->after, "FILE", "What it wrote later");
  add_value(verb, "--confidence", args->confidence, "PERCENT",
            "How sure each figure must be (default: 95)");
  add_value(verb, "--threshold", args->threshold, "PERCENT",
            "Changes below this are none (default: 5)");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
