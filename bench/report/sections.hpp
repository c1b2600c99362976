// SPDX-License-Identifier: Apache-2.0
/// The parts of the page. Each is empty when nothing was measured that it could show. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/record.hpp"

namespace particle::bench {

/// Figure 3.2: time against endpoints; the paper's points where it gives numbers.
std::string section_setup(const Record& record);
/// Table 3.3: the steps, the paper's column beside ours.
std::string section_steps(const Record& record);
/// Table 3.2, the paper's column beside what was measured.
std::string section_scaling(const Record& record);
/// Table 3.1, where a benchmark of several nodes is part of the record.
std::string section_nodes(const Record& record);
/// What the benchmark programs recorded, where they are part of the record.
std::string section_programs(const Record& record);
/// From giving up to gone.
std::string section_teardown(const Record& record);
/// Kernel memory of an endpoint.
std::string section_memory(const Record& record);
/// Real containers under real engines, beside the same in a pool.
std::string section_containers(const Record& record);
/// What `particle trace` saw, where traces are part of the record.
std::string section_traces(const Record& record);
/// What each design is, how it was measured, what was left out and why.
std::string section_method(const Record& record);

// ---- what the sections share ---------------------------------------------------------------------

/// The CSS class of a design's colour.
std::string colour_of(const std::string& design);
/// A heading with an anchor, and a paragraph below it.
std::string heading(const std::string& id, const std::string& title, const std::string& intro);
/// A figure: the chart for wide and for narrow screens, its legend (which the former may do
/// without), and what there is to know.
enum class Legend : std::uint8_t { always, narrow_only };
std::string figure_of(const std::string& wide, const std::string& narrow, const std::string& legend,
                      const std::string& caption, Legend shown = Legend::always);
/// Rows of cells that are HTML already; the first cell of a row is its heading.
std::string table_of(const std::string& caption, const std::vector<std::string>& header,
                     const std::vector<std::vector<std::string>>& rows);
/// A row for each design of a kind, a column for each size it was measured with.
std::string table_by_size(const Record& record, Kind kind, const std::string& caption,
                          const std::function<std::string(const Figure&)>& cell);
/// What stands where nothing was measured.
inline constexpr const char* kNone = "<span class=\"none\">–</span>";
/// The name of a design with the dot of its colour.
std::string name_cell(const std::string& design);
/// "2.05 ms" and, small below it, the middle half.
std::string time_cell(const Series& series);
/// "N = 1,000".
std::string size_name(std::uint64_t endpoints);
/// The size to show details for: 100, as the paper, or the largest below it.
std::uint64_t detail_size(const Record& record, Kind kind = Kind::endpoints);

}  // namespace particle::bench
