// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "report/charts.hpp"
#include "report/sections.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

std::string kib(double value) {
  return value >= 1024 ? brief(value / 1024) + " MiB" : brief(value) + " KiB";
}

std::string kernel_cell(const Figure& figure) {
  const double kernel = figure.kernel_kib_each.median();
  const double process = figure.process_kib_each.median();
  if (kernel <= 0) return kNone;
  return kib(kernel) + "<small>process " + (process > 0 ? brief(process) : "0") + "</small>";
}

}  // namespace

std::string section_memory(const Record& record) {
  const std::uint64_t size = detail_size(record);
  std::vector<Bar> bars;
  for (const auto* design : record.designs_of(Kind::endpoints)) {
    const Figure* figure = record.find(design->name, size);
    if (figure == nullptr) continue;
    const double each = figure->kernel_kib_each.median();
    bars.push_back({design->name,
                    kib(each),
                    {{std::max(each, 0.0), colour_of(design->name), "",
                      design->name + ": " + kib(each) + " for each endpoint"}}});
  }
  const std::string title = "Kernel memory of an endpoint, by design";
  const std::string wide = bar_chart(bars, Paper::wide, title);
  if (wide.empty()) return {};
  return heading("memory", "Memory",
                 "What the kernel keeps for each endpoint at " + size_name(size) +
                     ": slab, per-CPU areas, stacks and page tables. A namespace is most of it; a "
                     "pool has one for all.") +
         figure_of(wide, bar_chart(bars, Paper::narrow, title), "",
                   "Kernel memory divided by the number of endpoints. A pool is weighed with up to "
                   "15 others of its kind, since one alone drowns in what the kernel allocates "
                   "meanwhile.") +
         table_by_size(
             record, Kind::endpoints,
             "Memory for each endpoint: the kernel's, and below it by how many KiB the measuring "
             "process grew. A dash: not measured, or less than what the rest of the kernel freed "
             "meanwhile.",
             kernel_cell);
}

}  // namespace particle::bench
