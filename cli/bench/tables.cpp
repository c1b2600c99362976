// SPDX-License-Identifier: Apache-2.0
#include "bench/tables.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "harness/statements.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

constexpr std::size_t kWidth = 88;
constexpr std::uint64_t kTableSize = 100;
/// The dissertation's table 3.3: seconds for 100 namespaces.
constexpr std::array kPaperSeconds{0.10, 0.10, 5.18, 4.77, 0.49, 0.22};
constexpr std::array kStepNames{"S1  namespace",         "S2  veth pair",
                                "S3  move the near end", "S4  move the guest's end",
                                "S5  attach, bring up",  "S6  address"};

std::string formatted(double value, int digits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

/// Three figures or so.
std::string short_number(double value) {
  if (value < 10) return formatted(value, 2);
  return formatted(value, value < 100 ? 1 : 0);
}

std::string right(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string size_name(std::uint64_t endpoints) {
  std::string digits = std::to_string(endpoints);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string machine_line(const bench::Record& record) {
  const auto word = [&](const char* key) {
    const auto value = record.machine.value(key, bench::Json("unknown"));
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  return word("cpus") + " x " + word("processor") + ", Linux " + word("kernel");
}

std::string times_table(const bench::Record& record, bench::Kind kind, const std::string& title,
                        const Style& style) {
  constexpr std::size_t kColumn = 9;
  const auto sizes = record.sizes(kind);
  if (sizes.empty()) return {};
  std::string header = "  design               ";
  for (const auto size : sizes) header += right("N=" + size_name(size), kColumn);
  std::string out = title + "\n" + style.bold(header) + "\n";
  for (const auto* design : record.designs_of(kind)) {
    std::string line = "  " + design->name;
    line.resize(23, ' ');
    for (const auto size : sizes) {
      const auto* figure = record.find(design->name, size);
      line += right(figure == nullptr ? "-" : short_number(figure->setup_ms.median()), kColumn);
    }
    out += line + "\n";
  }
  return out;
}

/// 100, as the paper, or else the largest.
std::uint64_t detail_size(const bench::Record& record) {
  const auto sizes = record.sizes(bench::Kind::endpoints);
  if (sizes.empty() || std::find(sizes.begin(), sizes.end(), kTableSize) != sizes.end()) {
    return kTableSize;
  }
  return sizes.back();
}

std::string detail_table(const bench::Record& record, const Style& style) {
  const auto size = detail_size(record);
  std::string out = "\nAt N = " + size_name(size) +
                    ": spread, giving them up, kernel memory for each endpoint\n" +
                    style.bold(
                        "  design               setup ms  (middle half)      gone ms   KiB each"
                        "  repeats") +
                    "\n";
  for (const auto* design : record.designs_of(bench::Kind::endpoints)) {
    const auto* figure = record.find(design->name, size);
    if (figure == nullptr) continue;
    const auto& setup = figure->setup_ms;
    std::string line = "  " + design->name;
    line.resize(20, ' ');
    line += right(short_number(setup.median()), 11);
    line += right("(" + short_number(setup.quantile(0.25)) + " to " +
                      short_number(setup.quantile(0.75)) + ")",
                  17);
    line += right(short_number(figure->gone_ms.median()), 12);
    line += right(short_number(figure->kernel_kib_each.median()), 11);
    line += right(std::to_string(setup.size()), 9);
    out += line + "\n";
  }
  return out;
}

std::string steps_table(const bench::Record& record, const Style& style) {
  const auto* figure = record.find("ip-commands", kTableSize);
  const auto* pool = record.find("consolidated", kTableSize);
  if (figure == nullptr) return {};
  double all = 0;
  double paper = 0;
  for (std::size_t i = 0; i < bench::kSteps; ++i) {
    all += figure->steps_ms.at(i).median();
    paper += kPaperSeconds.at(i);
  }
  std::string out =
      "\nWhere the time goes, 100 endpoints (table 3.3), seconds\n" +
      style.bold("  step                          paper          ip-commands     consolidated") +
      "\n";
  for (std::size_t i = 0; i < bench::kSteps; ++i) {
    const double seconds = figure->steps_ms.at(i).median() / 1000;
    std::string line = std::string("  ") + kStepNames.at(i);
    line.resize(28, ' ');
    line += right(formatted(kPaperSeconds.at(i), 2), 6) +
            right(formatted(kPaperSeconds.at(i) / paper * 100, 1) + "%", 7);
    line += right(formatted(seconds, 2), 12) +
            right(formatted(all > 0 ? seconds * 1000 / all * 100 : 0, 1) + "%", 7);
    const bool has = pool != nullptr && !pool->steps_ms.at(i).empty();
    line += right(has ? formatted(pool->steps_ms.at(i).median() / 1000, 5) : "-", 15);
    out += line + "\n";
  }
  return out;
}

std::string mark_of(const bench::Statement& statement, const Style& style) {
  if (!statement.holds) return style.dim("-");
  return *statement.holds ? style.good("✓") : style.bad("✗");
}

std::string must_hold(const bench::Record& record, const Style& style) {
  std::string out = "\nMust hold\n";
  for (const auto& statement : bench::statements(record)) {
    const std::string mark = mark_of(statement, style);
    out += "  " + mark + " " + indent_after_first(wrap(statement.claim, kWidth - 4), 4) + "\n" +
           indent(wrap(statement.measured, kWidth - 6), 6);
  }
  return out;
}

/// What has one reason stands together.
std::string not_measured(const bench::Record& record) {
  std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
  for (const auto& skipped : record.skipped) {
    auto found = std::find_if(reasons.begin(), reasons.end(),
                              [&](const auto& each) { return each.first == skipped.why; });
    if (found == reasons.end()) found = reasons.insert(found, {skipped.why, {}});
    found->second.push_back(
        skipped.design + (skipped.endpoints == 0 ? "" : " at N = " + size_name(skipped.endpoints)));
  }
  std::string out;
  for (const auto& [why, names] : reasons) {
    out += "\n" + wrap("Not measured: " + join_words(names) + ": " + why, kWidth);
  }
  return out;
}

}  // namespace

std::string bench_to_text(const bench::Record& record, const Style& style) {
  std::string out = record.program + " bench: " + machine_line(record) + "\n\n";
  out += times_table(record, bench::Kind::endpoints,
                     "Milliseconds until the endpoints are usable, median", style);
  if (!record.sizes(bench::Kind::endpoints).empty()) out += detail_table(record, style);
  out += steps_table(record, style);
  const auto containers =
      times_table(record, bench::Kind::containers,
                  "Milliseconds until N containers run, 8 calls of the engine's client at a time, "
                  "median",
                  style);
  out += (containers.empty() ? "" : "\n" + containers) + must_hold(record, style);
  out += not_measured(record);
  if (!record.skipped.empty()) out += "\n";
  for (const auto& note : record.notes) out += "\n" + wrap(note, kWidth) + "\n";
  return out;
}

std::string comparison_to_text(const bench::RunComparison& comparison,
                               const bench::ComparisonOptions& options, const Style& style) {
  Table table({"design", "N", "what", "before ms", "after ms", "times", "interval", "p", ""});
  for (const auto& line : comparison.lines) {
    const bool sure = line.shift.low.has_value();
    table.add({line.design, size_name(line.endpoints), line.what, short_number(line.before_ms),
               short_number(line.after_ms), formatted(line.shift.ratio, 2),
               sure ? formatted(*line.shift.low, 2) + ".." + formatted(*line.shift.high, 2)
                    : "too few values",
               formatted(line.shift.p, 3), std::string(to_string(line.change))});
  }
  std::string out = table.to_string(style);
  for (const auto& warning : comparison.warnings) out += "warning: " + warning + "\n";
  out += "\n" + wrap(counted(comparison.count(bench::Change::slower), "figure") + " slower, " +
                         std::to_string(comparison.count(bench::Change::faster)) + " faster, " +
                         std::to_string(comparison.count(bench::Change::same)) + " the same, " +
                         std::to_string(comparison.count(bench::Change::unsure)) +
                         " unsure: by more than " + formatted(options.threshold * 100, 0) +
                         "%, with " + formatted(options.confidence * 100, 0) +
                         "% confidence for each (Mann-Whitney, exact; the ratio is Hodges and "
                         "Lehmann's).",
                     kWidth);
  return out + "\n";
}

}  // namespace particle::cli
