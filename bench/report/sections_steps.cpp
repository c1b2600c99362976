// SPDX-License-Identifier: Apache-2.0
/// Table 3.3: where the time goes.
#include <array>

#include "harness/statements.hpp"
#include "report/charts.hpp"
#include "report/sections.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

using Steps = std::array<double, kSteps>;

/// The paper's, for 100 namespaces, in milliseconds.
constexpr Steps kPaper{100, 100, 5180, 4770, 490, 220};
constexpr std::array kNames{"S1 namespace",        "S2 veth pair",        "S3 move the near end",
                            "S4 move the far end", "S5 attach, bring up", "S6 address"};

double sum(const Steps& steps) {
  double all = 0;
  for (const double each : steps) all += each;
  return all;
}

Steps medians(const Figure& figure) {
  Steps out{};
  for (std::size_t i = 0; i < kSteps; ++i) out.at(i) = figure.steps_ms.at(i).median();
  return out;
}

/// Shares of a whole, so that bars of seconds and of milliseconds can be compared.
Bar bar_of(const std::string& label, const Steps& steps) {
  const double all = sum(steps);
  Bar bar{label, duration(all), {}};
  for (std::size_t i = 0; i < kSteps; ++i) {
    const double share = all > 0 ? steps.at(i) / all : 0;
    const std::string name = kNames.at(i);
    bar.segments.push_back(
        {share, "s" + std::to_string(i + 1), name.substr(0, 2) + " " + fixed(share * 100, 0) + "%",
         label + ", " + name + ": " + duration(steps.at(i)) + ", " + fixed(share * 100, 1) + "%"});
  }
  return bar;
}

std::string legend_of_steps() {
  std::string out;
  for (std::size_t i = 0; i < kSteps; ++i) {
    out += "<span><span class=\"dot s" + std::to_string(i + 1) + "\"></span>" + kNames.at(i) +
           "</span>";
  }
  return out;
}

std::string step_cell(double ms, double all) {
  return duration(ms) + "<small>" + fixed(all > 0 ? ms / all * 100 : 0, 1) + "%</small>";
}

std::vector<const Figure*> measured(const Record& record, std::uint64_t size) {
  std::vector<const Figure*> out;
  for (const auto* design : record.designs_of(Kind::endpoints)) {
    const Figure* figure = record.find(design->name, size);
    if (figure != nullptr && sum(medians(*figure)) > 0) out.push_back(figure);
  }
  return out;
}

std::string steps_table(const std::vector<const Figure*>& figures, std::uint64_t size) {
  std::vector<std::string> header{"design"};
  for (const char* name : kNames) {
    const std::string text = name;
    header.push_back(text.substr(0, 2) + "<small>" + text.substr(3) + "</small>");
  }
  std::vector<std::string> paper{"<span class=\"dot paper\"></span>the paper"};
  for (const double step : kPaper) paper.push_back(step_cell(step, sum(kPaper)));
  std::vector<std::vector<std::string>> rows{paper};
  for (const auto* figure : figures) {
    std::vector<std::string> row{name_cell(figure->design)};
    for (const auto& step : figure->steps_ms) {
      row.push_back(step.empty() ? kNone : step_cell(step.median(), sum(medians(*figure))));
    }
    rows.push_back(std::move(row));
  }
  return table_of("Table 3.3 at " + size_name(size) +
                      ": time in each step of figure 3.1, all endpoints together, and its share. A "
                      "dash: the design has no such step.",
                  header, rows);
}

}  // namespace

std::string section_steps(const Record& record) {
  const std::uint64_t size = detail_size(record);
  const auto figures = measured(record, size);
  if (figures.empty()) return {};
  std::vector<Bar> bars{bar_of("the paper, N = 100", kPaper)};
  for (const auto* figure : figures) bars.push_back(bar_of(figure->design, medians(*figure)));
  const std::string title = "Share of each step, by design";
  return heading(
             "steps", "Where the time goes",
             "Connecting one container takes six steps (figure 3.1). Two of them, S3 and S4, move "
             "the ends of its veth pair into other namespaces. Today's kernels can create both "
             "ends where they belong, so that Particle moves nothing.") +
         figure_of(bar_chart(bars, Paper::wide, title), bar_chart(bars, Paper::narrow, title),
                   legend_of_steps(),
                   "Shares of the six steps at " + size_name(size) +
                       "; behind each bar, their sum. In <em>isolated-in-place</em> the pair is "
                       "attached as it is made and brought up with its address, so that S2 and S6 "
                       "contain S5.") +
         steps_table(figures, size);
}

}  // namespace particle::bench
