// SPDX-License-Identifier: Apache-2.0
#include "report/page.hpp"

#include "harness/statements.hpp"
#include "report/sections.hpp"
#include "report/text.hpp"
#include "report_assets.hpp"

namespace particle::bench {
namespace {

std::string word(const Record& record, const char* key) {
  const Json value = record.machine.value(key, Json());
  if (value.is_string()) return escaped(value.get<std::string>());
  return value.is_null() ? "unknown" : escaped(value.dump());
}

std::string head() {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n"
         "<title>Particle: what connecting containers costs</title>\n<style>\n" +
         std::string(kReportCss) + "</style>\n</head>\n";
}

std::string masthead(const Record& record) {
  std::string out =
      "<header>\n<button id=\"theme\" type=\"button\" aria-label=\"Light or dark\" hidden>"
      "<span></span></button>\n<p class=\"kicker\">particle bench</p>\n"
      "<h1>What connecting containers costs</h1>\n<p class=\"machine\">" +
      word(record, "cpus") + " × " + word(record, "processor") + " · Linux " +
      word(record, "kernel") + " · " + word(record, "system") + " · " +
      word(record, "date").substr(0, 10) + "</p>\n";
  for (const auto& note : record.notes) out += "<p class=\"warning\">" + escaped(note) + "</p>\n";
  return out + "</header>\n";
}

std::string tile(const std::string& number, const std::string& unit, const std::string& what) {
  return "<div class=\"tile\"><p class=\"number\">" + number + "<span>" + unit + "</span></p><p>" +
         what + "</p></div>\n";
}

/// The few figures to take away. Only what was measured.
std::string tiles(const Record& record) {
  const std::uint64_t size = detail_size(record);
  std::string out;
  if (const Figure* pool = record.find("consolidated", size)) {
    out += tile(brief(pool->setup_ms.median()), "ms",
                "for " + grouped(size) + " endpoints in a Particle pool");
  }
  if (const auto times = times_slower(record, "ip-commands", "consolidated", size)) {
    out += tile(brief(*times), "×", "faster than one ip command per step, the paper’s baseline");
  }
  if (const auto times = times_slower(record, "isolated-in-place", "consolidated", size)) {
    out += tile(brief(*times), "×", "faster than the best way that gives each a namespace");
  }
  const Figure* baseline = record.find("ip-commands", size);
  const auto moves = baseline == nullptr ? std::nullopt : share_of_moves(*baseline);
  if (moves) {
    out += tile(fixed(*moves * 100, 0), "%",
                "of the baseline’s time moves veths across namespaces (the paper: 91.7%)");
  }
  return out.empty() ? out : "<div class=\"tiles\">\n" + out + "</div>\n";
}

struct Verdict {
  const char* css;
  const char* mark;
  const char* spoken;
};

Verdict verdict_of(const Statement& statement) {
  if (!statement.holds) return {"open", "–", "not measured"};
  if (*statement.holds) return {"holds", "✓", "holds"};
  return {"fails", "✗", "does not hold"};
}

std::string must_hold(const Record& record) {
  std::string out =
      heading("claims", "What must hold", "Decided by this run’s figures, not written by hand.") +
      "<ul class=\"claims\">\n";
  for (const auto& statement : statements(record)) {
    const Verdict verdict = verdict_of(statement);
    out += std::string("<li class=\"") + verdict.css + "\"><span class=\"mark\" aria-label=\"" +
           verdict.spoken + "\">" + verdict.mark + "</span><div><p>" + escaped(statement.claim) +
           "</p><p class=\"measured\">" + escaped(statement.measured) + "</p></div></li>\n";
  }
  return out + "</ul>\n";
}

std::string section(const std::string& content) {
  return content.empty() ? content : "<section>\n" + content + "</section>\n";
}

}  // namespace

std::string to_html(const Record& record) {
  return head() + "<body>\n<main>\n" + masthead(record) + tiles(record) +
         section(section_setup(record)) + section(section_steps(record)) +
         section(section_traces(record)) + section(section_scaling(record)) +
         section(section_nodes(record)) + section(section_containers(record)) +
         section(section_teardown(record)) + section(section_memory(record)) +
         section(section_programs(record)) + section(must_hold(record)) +
         section(section_method(record)) + "</main>\n<script>\n" + std::string(kReportJs) +
         "</script>\n</body>\n</html>\n";
}

}  // namespace particle::bench
