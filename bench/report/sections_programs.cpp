// SPDX-License-Identifier: Apache-2.0
/// What the programs of bench/ recorded (bench/run): Particle against its own targets, and table 3.1.
#include <array>

#include "report/sections.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

constexpr std::string_view kTable31 = "table 3.1, ";

std::string spread(const Json& value, const std::string& unit) {
  return brief(value.at("median").get<double>()) + " " + escaped(unit) + "<small>" +
         brief(value.at("q1").get<double>()) + "–" + brief(value.at("q3").get<double>()) +
         "</small>";
}

/// "particle-cni" above its value, or only the value.
std::string side(const Json& figure, const char* key) {
  if (!figure.contains(key)) return kNone;
  const std::string unit = figure.value("unit", std::string());
  const Json& what = figure.at(key);
  return escaped(what.at("name").get<std::string>()) + ": " + spread(what.at("value"), unit);
}

std::string measured(const Json& figure) {
  if (figure.contains("left")) return side(figure, "left");
  return figure.contains("value") ? spread(figure.at("value"), figure.value("unit", std::string()))
                                  : kNone;
}

std::string target(const Json& figure) {
  for (const auto& [key, words] : {std::pair{"at_most", "at most "}, {"at_least", "at least "}}) {
    if (!figure.contains(key)) continue;
    return words + brief(figure.at(key).get<double>()) + "<small>" +
           (figure.value("met", false) ? "met" : "missed") + "</small>";
  }
  return kNone;
}

bool is_of_table_31(const Json& figure) {
  return figure.at("what").get<std::string>().starts_with(kTable31);
}

std::string program_table(const Json& program) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& figure : program.at("figures")) {
    if (is_of_table_31(figure)) continue;
    const std::string ratio =
        figure.contains("ratio") ? brief(figure.at("ratio").get<double>()) : kNone;
    rows.push_back(
        {"<div class=\"words\">" + escaped(figure.at("what").get<std::string>()) + "</div>",
         measured(figure), side(figure, "right"), ratio, target(figure)});
  }
  if (rows.empty()) return {};
  std::string out =
      table_of("<code>" + escaped(program.at("program").get<std::string>()) + "</code>, " +
                   escaped(program.at("machine").value("date", std::string("?"))),
               {"what", "measured", "against", "ratio", "target"}, rows);
  for (const auto& note : program.value("notes", Json::array())) {
    out += "<p class=\"caption\">" + escaped(note.get<std::string>()) + "</p>\n";
  }
  return out;
}

/// The dissertation's end-to-end start-up, seconds, for so many nodes.
std::string paper_31(int nodes) {
  for (const auto& [of, seconds] : {std::pair{1, "15.74 s"}, {4, "15.66 s"}, {16, "15.99 s"}}) {
    if (of == nodes) return seconds;
  }
  return kNone;
}

}  // namespace

std::string section_nodes(const Record& record) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& program : record.programs) {
    for (const auto& figure : program.at("figures")) {
      if (!is_of_table_31(figure)) continue;
      const std::string what = figure.at("what").get<std::string>().substr(kTable31.size());
      rows.push_back({escaped(what), paper_31(std::atoi(what.c_str())), measured(figure)});
    }
  }
  if (rows.empty()) return {};
  return heading("nodes", "More nodes",
                 "Table 3.1 keeps the connections of each node and adds nodes: the control plane "
                 "must not become the bottleneck.") +
         table_of(
             "Table 3.1. The paper’s time is end to end: starting 100 Docker containers on "
             "each node, connecting them, and sending data; ours is as each row says, all "
             "nodes on one machine.",
             {"nodes", "the paper", "here"}, rows);
}

std::string section_programs(const Record& record) {
  std::string tables;
  for (const auto& program : record.programs) tables += program_table(program);
  if (tables.empty()) return {};
  return heading("programs", "Particle against its own targets",
                 "What the programs of <code>bench/</code> recorded, each row measured in turns "
                 "with what it is held against.") +
         tables;
}

}  // namespace particle::bench
