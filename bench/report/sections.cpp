// SPDX-License-Identifier: Apache-2.0
#include "report/sections.hpp"

#include <algorithm>

#include "report/text.hpp"

namespace particle::bench {

namespace {

/// By how the containers are connected, the same for every engine.
std::string colour_of_burst(const std::string& design) {
  if (design.ends_with("-particle")) return "c5";
  if (design.ends_with("-overlay")) return "c0";
  return design.ends_with("-bridge") ? "c1" : "paper";
}

}  // namespace

std::string colour_of(const std::string& design) {
  const auto all = designs();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Design& each) { return each.name == design; });
  // A design that this program does not know, of another version perhaps.
  if (found == all.end()) return "other";
  if (found->kind == Kind::containers) return colour_of_burst(design);
  return "c" + std::to_string(found - all.begin());
}

std::string heading(const std::string& id, const std::string& title, const std::string& intro) {
  return "<h2 id=\"" + id + "\">" + escaped(title) + "</h2>\n<p class=\"intro\">" + intro +
         "</p>\n";
}

std::string figure_of(const std::string& wide, const std::string& narrow, const std::string& legend,
                      const std::string& caption, Legend shown) {
  const std::string css = shown == Legend::always ? "legend" : "legend phone";
  return "<figure>\n" + wide + narrow +
         (legend.empty() ? "" : "<div class=\"" + css + "\">" + legend + "</div>\n") +
         "<figcaption>" + caption + "</figcaption>\n</figure>\n";
}

std::string table_of(const std::string& caption, const std::vector<std::string>& header,
                     const std::vector<std::vector<std::string>>& rows) {
  // The caption stays where it is when a phone's reader moves the table sideways.
  std::string out =
      "<p class=\"caption\">" + caption + "</p>\n<div class=\"scroll\"><table>\n<thead><tr>";
  for (const auto& cell : header) out += "<th scope=\"col\">" + cell + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += i == 0 ? "<th scope=\"row\">" + row[i] + "</th>" : "<td>" + row[i] + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string table_by_size(const Record& record, Kind kind, const std::string& caption,
                          const std::function<std::string(const Figure&)>& cell) {
  std::vector<std::string> header{"design"};
  for (const auto size : record.sizes(kind)) header.push_back(size_name(size));
  std::vector<std::vector<std::string>> rows;
  for (const auto* design : record.designs_of(kind)) {
    std::vector<std::string> row{name_cell(design->name)};
    for (const auto size : record.sizes(kind)) {
      const Figure* figure = record.find(design->name, size);
      row.push_back(figure == nullptr ? kNone : cell(*figure));
    }
    rows.push_back(std::move(row));
  }
  return table_of(caption, header, rows);
}

std::string name_cell(const std::string& design) {
  return "<span class=\"dot " + colour_of(design) + "\"></span>" + escaped(design);
}

std::string time_cell(const Series& series) {
  if (series.empty()) return kNone;
  std::string out = duration(series.median());
  if (series.size() > 1) {
    out += "<small>" + range_like(series.median(), series.quantile(0.25), series.quantile(0.75)) +
           "</small>";
  }
  return out;
}

std::string size_name(std::uint64_t endpoints) {
  return "N&nbsp;=&nbsp;" + grouped(endpoints);
}

std::uint64_t detail_size(const Record& record, Kind kind) {
  constexpr std::uint64_t kPaperSize = 100;
  std::uint64_t best = 0;
  for (const auto size : record.sizes(kind)) {
    if (size <= kPaperSize || best == 0) best = size;
  }
  return best;
}

}  // namespace particle::bench
