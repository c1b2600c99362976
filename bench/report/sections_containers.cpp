// SPDX-License-Identifier: Apache-2.0
/// Bursts of containers, engine by engine.
#include <algorithm>

#include "harness/statements.hpp"
#include "report/charts.hpp"
#include "report/sections.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

std::vector<Bar> bars_of(const Record& record, std::uint64_t size) {
  std::vector<Bar> bars;
  for (const auto* design : record.designs_of(Kind::containers)) {
    const Figure* figure = record.find(design->name, size);
    if (figure == nullptr) continue;
    const double ms = figure->setup_ms.median();
    bars.push_back({design->name,
                    duration(ms),
                    {{ms, colour_of(design->name), "",
                      design->title + ": " + duration(ms) + " for " + grouped(size) +
                          " containers, " + duration(ms / static_cast<double>(size)) + " each"}}});
  }
  return bars;
}

std::string legend_of_parts() {
  std::string out;
  for (const auto& [colour, name] : {std::pair{"paper", "no network"},
                                     {"c1", "the engine’s bridge"},
                                     {"c0", "the engine’s overlay"},
                                     {"c5", "a Particle pool"}}) {
    out += std::string("<span><span class=\"dot ") + colour + "\"></span>" + name + "</span>";
  }
  return out;
}

/// The time, and below it how many times longer that is than in a pool under the same engine.
std::string setup_cell(const Record& record, const Figure& figure) {
  const std::string pool = pool_beside(figure.design);
  const auto times = times_slower(record, figure.design, pool, figure.endpoints);
  return time_cell(figure.setup_ms) +
         (times && figure.design != pool ? "<small>" + brief(*times) + "× a pool</small>" : "");
}

std::string memory_cell(const Figure& figure) {
  const double processes = figure.process_kib_each.median();
  const double kernel = figure.kernel_kib_each.median();
  if (processes <= 0 && kernel <= 0) return kNone;
  const auto mib = [](double kib) { return kib > 0 ? brief(kib / 1024) : std::string("0"); };
  return mib(processes) + " MiB<small>kernel " + mib(kernel) + "</small>";
}

std::string tables(const Record& record) {
  return table_by_size(record, Kind::containers,
                       "Time until N containers run: median, the middle half of the repeats, and "
                       "how many times longer than the same engine takes in a pool",
                       [&](const Figure& figure) { return setup_cell(record, figure); }) +
         table_by_size(record, Kind::containers, "Time until all are removed and gone",
                       [](const Figure& figure) { return time_cell(figure.gone_ms); }) +
         table_by_size(record, Kind::containers,
                       "Memory for each container: of the engine’s processes, and below it the "
                       "kernel’s, in MiB",
                       memory_cell);
}

}  // namespace

std::string section_containers(const Record& record) {
  const std::uint64_t size = detail_size(record, Kind::containers);
  const auto bars = bars_of(record, size);
  const std::string title = "Time until the containers run, by engine and network";
  const std::string wide = bar_chart(bars, Paper::wide, title);
  if (wide.empty()) return {};
  return heading("containers", "Real containers, beside today’s engines",
                 "The same small image under each engine that is installed: without network, on "
                 "its own bridge or overlay, and in a Particle pool. What connects a container is "
                 "the difference between the rows of an engine.") +
         figure_of(wide, bar_chart(bars, Paper::narrow, title), legend_of_parts(),
                   grouped(size) +
                       " containers, started by 8 calls of the engine’s client at a "
                       "time, until the last one runs. In a pool that includes making the pool.") +
         tables(record);
}

}  // namespace particle::bench
