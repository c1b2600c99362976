// SPDX-License-Identifier: Apache-2.0
/// What a benchmark program prints and writes.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "harness/stats.hpp"

namespace particle::bench {

/// The command line that every program takes.
struct Options {
  std::string out;     ///< --out DIR: write DIR/<program>.json
  bool quick = false;  ///< --quick: few repeats, small sizes; to see that it runs
  bool help = false;
  std::string problem;  ///< what was wrong with the command line
  [[nodiscard]] std::size_t repeats(std::size_t full) const { return quick ? 2 : full; }
};

/// One line of the table: something measured against something else.
struct Comparison {
  std::string what;  ///< "create, N=100, secondary"
  std::string left_name;
  Series left;
  std::string right_name;
  Series right;
  std::string unit = "ms";
  /// How the ratio is formed and judged: left over right must be at most `at_most`, or right over
  /// left at least `at_least`. Neither: it is only reported.
  std::optional<double> at_most;
  std::optional<double> at_least;
  bool right_over_left = false;  ///< the ratio's direction where neither says
};

class Results {
 public:
  explicit Results(std::string program) : program_(std::move(program)) {}
  /// Prints the line and keeps it.
  void add(const Comparison& comparison);
  /// A single figure without a counterpart.
  void add(const std::string& what, const Series& series, const std::string& unit = "ms");
  /// A ratio that was computed elsewhere.
  void add_ratio(const std::string& what, double ratio, std::optional<double> at_most);
  /// A fact in words, kept with the figures.
  void note(const std::string& text);
  [[nodiscard]] Result<void> write(const Options& options) const;
  [[nodiscard]] bool all_met() const { return all_met_; }

 private:
  void judge(Json& row, double ratio, std::optional<double> at_most,
             std::optional<double> at_least);

  std::string program_;
  Json rows_ = Json::array();
  Json notes_ = Json::array();
  bool all_met_ = true;
};

/// main() of every program: parses, runs, prints, writes. Exit code 0 when it ran and every target
/// was met, 1 when one was not, 2 for an error.
int run_program(int argc, char** argv, const std::string& program, const std::string& about,
                const std::function<Result<void>(const Options&, Results&)>& work);

}  // namespace particle::bench
