// SPDX-License-Identifier: Apache-2.0
#include "support/results.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "harness/machine.hpp"

namespace particle::bench {
namespace {

std::string verdict_text(const Json& row) {
  if (!row.contains("met")) return "";
  const bool met = row["met"].get<bool>();
  std::array<char, 64> buffer{};
  const bool most = row.contains("at_most");
  std::snprintf(buffer.data(), buffer.size(), "  %s %s %.2f",
                met ? "ok:" : "MISSED:", most ? "at most" : "at least",
                row[most ? "at_most" : "at_least"].get<double>());
  return buffer.data();
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--quick") {
      options.quick = true;
    } else if (word == "--help" || word == "-h") {
      options.help = true;
    } else if (word == "--out" && i + 1 < argc) {
      options.out = argv[++i];
    } else {
      options.problem = "cannot read " + std::string(word);
    }
  }
  return options;
}

void print_error(const std::string& program, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", program.c_str(), error.message().c_str());
  for (const auto& detail : error.details) std::fprintf(stderr, "  %s\n", detail.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "hint: %s\n", error.hint.c_str());
}

}  // namespace

void Results::judge(Json& row, double ratio, std::optional<double> at_most,
                    std::optional<double> at_least) {
  row["ratio"] = ratio;
  if (at_most) row["at_most"] = *at_most;
  if (at_least) row["at_least"] = *at_least;
  if (!at_most && !at_least) return;
  const bool met = at_most ? ratio <= *at_most : ratio >= *at_least;
  row["met"] = met;
  all_met_ = all_met_ && met;
}

void Results::add(const Comparison& comparison) {
  Json row{{"what", comparison.what},
           {"unit", comparison.unit},
           {"left", {{"name", comparison.left_name}, {"value", comparison.left.to_json()}}},
           {"right", {{"name", comparison.right_name}, {"value", comparison.right.to_json()}}}};
  const double left = comparison.left.median();
  const double right = comparison.right.median();
  const bool inverse = comparison.at_least || comparison.right_over_left;
  const double over = inverse ? left : right;
  const double ratio = over == 0 ? 0 : (inverse ? right : left) / over;
  judge(row, ratio, comparison.at_most, comparison.at_least);
  std::printf("%-58s %s %s, %s %s %s: ratio %.3f%s\n", comparison.what.c_str(),
              comparison.left_name.c_str(), comparison.left.to_text().c_str(),
              comparison.right_name.c_str(), comparison.right.to_text().c_str(),
              comparison.unit.c_str(), ratio, verdict_text(row).c_str());
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

void Results::add(const std::string& what, const Series& series, const std::string& unit) {
  std::printf("%-58s %s %s\n", what.c_str(), series.to_text().c_str(), unit.c_str());
  std::fflush(stdout);
  rows_.push_back({{"what", what}, {"unit", unit}, {"value", series.to_json()}});
}

void Results::add_ratio(const std::string& what, double ratio, std::optional<double> at_most) {
  Json row{{"what", what}};
  judge(row, ratio, at_most, {});
  std::printf("%-58s ratio %.3f%s\n", what.c_str(), ratio, verdict_text(row).c_str());
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

void Results::note(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
  notes_.push_back(text);
}

Result<void> Results::write(const Options& options) const {
  if (options.out.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  const std::string path = options.out + "/" + program_ + ".json";
  std::ofstream file(path);
  const Json all{{"program", program_}, {"quick", options.quick}, {"machine", machine()},
                 {"figures", rows_},    {"notes", notes_},        {"all_targets_met", all_met_}};
  file << all.dump(2) << "\n";
  file.close();
  if (!file) return fail(Error::of(Errc::io, "write " + path));
  return {};
}

int run_program(int argc, char** argv, const std::string& program, const std::string& about,
                const std::function<Result<void>(const Options&, Results&)>& work) {
  const Options options = parse(argc, argv);
  if (options.help || !options.problem.empty()) {
    std::printf("%s\n\nUsage: %s [--quick] [--out DIR]\n", about.c_str(), program.c_str());
    if (options.help) return 0;
    std::fprintf(stderr, "%s: %s\n", program.c_str(), options.problem.c_str());
    return 2;
  }
  Results results(program);
  auto done = work(options, results);
  auto written = results.write(options);
  for (const auto& step : {done, written}) {
    if (step) continue;
    print_error(program, step.error());
    return 2;
  }
  return results.all_met() || options.quick ? 0 : 1;
}

}  // namespace particle::bench
