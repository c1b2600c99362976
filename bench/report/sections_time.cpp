// SPDX-License-Identifier: Apache-2.0
/// Times against the number of endpoints.
#include <array>

#include "harness/statements.hpp"
#include "report/charts.hpp"
#include "report/sections.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

struct PaperPoint {
  std::uint64_t endpoints;
  double seconds;
};

/// Table 3.2: namespaces connected to one overlay on one node.
constexpr std::array kPaperBaseline{PaperPoint{100, 10.02}, PaperPoint{400, 38.90},
                                    PaperPoint{1600, 119.79}};
/// Section 3.2.1: 300 ms of each are the Docker container that holds the root namespace.
constexpr std::array kPaperParticle{PaperPoint{100, 0.534}, PaperPoint{1000, 0.553}};

using Quantity = const Series& (*)(const Figure&);

const Series& setup_of(const Figure& figure) {
  return figure.setup_ms;
}
const Series& gone_of(const Figure& figure) {
  return figure.gone_ms;
}

Point point_of(const Figure& figure, const Series& series) {
  Point point;
  point.x = static_cast<double>(figure.endpoints);
  point.y = series.median();
  point.low = series.quantile(0.25);
  point.high = series.quantile(0.75);
  point.tip = figure.design + ", N = " + grouped(figure.endpoints) + ": " + duration(point.y) +
              " (" + duration(point.low) + " to " + duration(point.high) + ", " +
              std::to_string(series.size()) + " repeats)";
  return point;
}

std::vector<Curve> curves_of(const Record& record, Quantity quantity) {
  std::vector<Curve> curves;
  for (const auto* design : record.designs_of(Kind::endpoints)) {
    Curve curve{design->name, colour_of(design->name), false, {}};
    for (const auto size : record.sizes(Kind::endpoints)) {
      const Figure* figure = record.find(design->name, size);
      if (figure != nullptr) curve.points.push_back(point_of(*figure, quantity(*figure)));
    }
    if (!curve.points.empty()) curves.push_back(std::move(curve));
  }
  return curves;
}

template <std::size_t size>
Curve paper_curve(const std::string& label, const std::array<PaperPoint, size>& points) {
  Curve curve{label, "paper", true, {}};
  for (const auto& each : points) {
    const double ms = each.seconds * 1000;
    curve.points.push_back({static_cast<double>(each.endpoints), ms, ms, ms,
                            "the paper, N = " + grouped(each.endpoints) + ": " + duration(ms)});
  }
  return curve;
}

std::string legend_of(const std::vector<Curve>& curves) {
  std::string out;
  for (const auto& curve : curves) {
    out += "<span><span class=\"dot " + curve.colour + (curve.reference ? " hollow" : "") +
           "\"></span>" + escaped(curve.label) + "</span>";
  }
  return out;
}

std::string chart(const std::vector<Curve>& curves, const std::string& title,
                  const std::string& caption) {
  return figure_of(line_chart(curves, Paper::wide, title), line_chart(curves, Paper::narrow, title),
                   legend_of(curves), caption, Legend::narrow_only);
}

std::string times_table(const Record& record, Quantity quantity, const std::string& caption) {
  return table_by_size(record, Kind::endpoints, caption,
                       [&](const Figure& figure) { return time_cell(quantity(figure)); });
}

/// How many times longer than Particle, by size; the paper's factors are for its baseline.
std::string factors_table(const Record& record) {
  std::vector<std::string> header{"times slower than Particle"};
  for (const auto size : record.sizes(Kind::endpoints)) header.push_back(size_name(size));
  std::vector<std::vector<std::string>> rows;
  for (const auto* design : record.designs_of(Kind::endpoints)) {
    if (design->name == "consolidated") continue;
    std::vector<std::string> row{name_cell(design->name)};
    bool any = false;
    for (const auto size : record.sizes(Kind::endpoints)) {
      const auto times = times_slower(record, design->name, "consolidated", size);
      any = any || times;
      row.push_back(times ? brief(*times) + "×" : kNone);
    }
    if (any) rows.push_back(std::move(row));
  }
  if (rows.empty()) return {};
  return table_of(
      "Each design's median time over that of <em>consolidated</em>, the paper's "
      "Particle, with as many endpoints. The paper: its baseline takes 17 times as long "
      "at N = 100 and 213 times at N = 1,000.",
      header, rows);
}

}  // namespace

std::string section_setup(const Record& record) {
  auto curves = curves_of(record, setup_of);
  if (curves.empty()) return {};
  curves.push_back(paper_curve("paper: baseline", kPaperBaseline));
  curves.push_back(paper_curve("paper: Particle", kPaperParticle));
  return heading(
             "setup", "Time to connect N endpoints",
             "Figure 3.2 of the dissertation, measured here: from the request until the last "
             "endpoint can be used. A design whose line is flat costs the same for one container "
             "and for thousands.") +
         chart(curves, "Time to connect N endpoints, by design",
               "Median; the band is the middle half of the repeats. Both axes are logarithmic. "
               "Dashed: the paper's own numbers (table 3.2; section 3.2.1, of which 300 ms are a "
               "Docker container), on its machine.") +
         times_table(
             record, setup_of,
             "Time until N endpoints are usable: median, and the middle half of the repeats") +
         factors_table(record);
}

std::string section_teardown(const Record& record) {
  const auto curves = curves_of(record, gone_of);
  if (curves.empty()) return {};
  return heading(
             "teardown", "Time until they are gone",
             "From giving the endpoints up until the kernel has taken every namespace and device "
             "apart, which it does in the background. A job that ends must not slow down the "
             "next one.") +
         chart(
             curves, "Time until N endpoints are gone, by design",
             "Median and the middle half. It includes one empty namespace that is made and removed "
             "to see that the kernel is done; that is nearly all there is below 50 ms.") +
         times_table(record, gone_of, "Time until N endpoints are gone");
}

std::string section_scaling(const Record& record) {
  std::vector<std::vector<std::string>> rows;
  bool any = false;
  for (const auto& each : kPaperBaseline) {
    std::vector<std::string> row{grouped(each.endpoints), fixed(each.seconds, 2) + " s"};
    for (const char* design : {"ip-commands", "netlink-moved", "consolidated", "anyip"}) {
      const Figure* figure = record.find(design, each.endpoints);
      any = any || figure != nullptr;
      row.push_back(time_cell(figure == nullptr ? Series() : figure->setup_ms));
    }
    rows.push_back(std::move(row));
  }
  if (!any) return {};
  return heading(
             "scaling", "More connections on one node",
             "Table 3.2 measures one node with more and more namespaces; the same sizes here, and "
             "what Particle takes instead.") +
         table_of(
             "Table 3.2: namespace set-up time",
             {"connections", "the paper", "ip-commands", "netlink-moved", "consolidated", "anyip"},
             rows);
}

}  // namespace particle::bench
