// SPDX-License-Identifier: Apache-2.0
/// What `particle trace` saw: operations, steps, locks, flame graph.
#include <algorithm>
#include <array>

#include "report/charts.hpp"
#include "report/sections.hpp"
#include "report/text.hpp"
#include "trace/trace.hpp"

namespace particle::bench {
namespace {

using trace::Attribution;
using trace::Trace;

struct Part {
  const char* css;
  const char* name;
  const char* column;
  double trace::Share::* ms;
};
constexpr std::array kParts{
    Part{"w1", "running", "running", &trace::Share::running_ms},
    Part{"w2", "waiting for RCU", "waiting<small>RCU</small>", &trace::Share::rcu_ms},
    Part{"w3", "waiting for the rtnl lock", "waiting<small>rtnl lock</small>",
         &trace::Share::rtnl_ms},
    Part{"w4", "waiting for something else", "waiting<small>other</small>",
         &trace::Share::blocked_ms},
    Part{"w5", "waiting for a processor", "waiting<small>processor</small>",
         &trace::Share::runnable_ms}};

std::string ms_cell(double ms) {
  return ms > 0 ? duration(ms) : kNone;
}

std::string legend_of_operations() {
  std::string out;
  for (const auto& part : kParts) {
    out +=
        std::string("<span><span class=\"dot ") + part.css + "\"></span>" + part.name + "</span>";
  }
  return out;
}

std::vector<Bar> bars_of(const Attribution& attribution) {
  const double all = attribution.total();
  std::vector<Bar> bars;
  for (const auto& row : attribution.rows) {
    const double total = row.share.total();
    if (total < all / 500) continue;
    const std::string name(row.operation.name);
    Bar bar{name, fixed(total / all * 100, 1) + "%", {}};
    for (const auto& part : kParts) {
      const double ms = row.share.*part.ms;
      bar.segments.push_back({ms, part.css, "", name + ", " + part.name + ": " + duration(ms)});
    }
    bars.push_back(std::move(bar));
  }
  return bars;
}

std::string operations_table(const Attribution& attribution) {
  std::vector<std::string> header{"operation", "time", "share"};
  for (const auto& part : kParts) header.emplace_back(part.column);
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : attribution.rows) {
    const double total = row.share.total();
    if (total <= 0) continue;
    std::vector<std::string> cells{escaped(row.operation.name), duration(total),
                                   fixed(total / attribution.total() * 100, 1) + "%"};
    for (const auto& part : kParts) cells.push_back(ms_cell(row.share.*part.ms));
    rows.push_back(std::move(cells));
  }
  return table_of("Time of all threads together, by what they were doing and how it passed", header,
                  rows);
}

/// The three largest, from 5% on.
std::string largest_parts(Attribution attribution) {
  constexpr std::size_t kMost = 3;
  const double all = attribution.total();
  std::sort(attribution.rows.begin(), attribution.rows.end(),
            [](const auto& a, const auto& b) { return a.share.total() > b.share.total(); });
  std::string out;
  for (std::size_t i = 0; i < std::min(kMost, attribution.rows.size()); ++i) {
    const auto& row = attribution.rows[i];
    const double share = all > 0 ? row.share.total() / all * 100 : 0;
    if (share < 5) break;
    out += (out.empty() ? "" : ", ") + escaped(row.operation.name) + " " + fixed(share, 0) + "%";
  }
  return out;
}

std::string steps_table(const Trace& trace) {
  if (trace.seen.steps.empty()) return {};
  std::vector<std::vector<std::string>> rows;
  for (const auto& step : trace.seen.steps) {
    const auto attribution = attribute(trace.seen.entries, step.name);
    const std::string parts = largest_parts(attribution);
    rows.push_back({escaped(step.name), grouped(step.count), duration(step.ms),
                    parts.empty() ? kNone : "<div class=\"words\">" + parts + "</div>"});
  }
  return table_of("Steps of figure 3.1, as the programs mark them, and what the kernel did in each",
                  {"step", "times", "time", "what"}, rows);
}

std::string locks_table(const Trace& trace) {
  constexpr std::size_t kMost = 6;
  constexpr double kWorthALine = 0.05;
  std::vector<std::vector<std::string>> rows;
  for (const auto& lock : trace.seen.locks) {
    if (rows.size() == kMost || lock.ms < kWorthALine) break;
    rows.push_back({"<code>" + escaped(lock.where) + "</code>", grouped(lock.count),
                    duration(lock.ms), duration(lock.longest_ms)});
  }
  if (rows.empty()) return {};
  return table_of("Locks that threads waited for, by the function that took them first",
                  {"taken in", "times", "waited", "longest"}, rows);
}

std::string functions_table(const Trace& trace) {
  if (trace.seen.functions.empty()) return {};
  std::vector<std::vector<std::string>> rows;
  for (const auto& each : trace.seen.functions) {
    rows.push_back({"<code>" + escaped(each.function) + "</code>", escaped(each.what),
                    grouped(each.count), duration(each.ms)});
  }
  return table_of("Kernel functions, call by call, by " + escaped(trace.seen.functions_by) +
                      "; one within another counts in both",
                  {"function", "what", "calls", "time"}, rows);
}

std::string notes(const Trace& trace) {
  const auto& seen = trace.seen;
  std::string out = "<p class=\"caption\">Watched for " + duration(seen.wall_ms) + ": " +
                    grouped(seen.execs) + " programs started, " + grouped(seen.forks) +
                    " forks. The tracer’s own programs took " + duration(seen.programs_ms) + " (" +
                    fixed(seen.wall_ms > 0 ? seen.programs_ms / seen.wall_ms * 100 : 0, 2) +
                    "%). Waiting for other processes, timers and input is left out.";
  if (seen.lost > 0) out += " " + grouped(seen.lost) + " stacks were lost.";
  for (const auto& missing : seen.missing) out += " Missing: " + escaped(missing) + ".";
  return out + "</p>\n";
}

std::string words_of(const Trace& trace) {
  if (trace.command.empty()) return "process " + std::to_string(trace.process.value_or(0));
  std::string out;
  for (const auto& word : trace.command) {
    // Where a program was installed says nothing here.
    const auto slash = out.empty() ? word.rfind('/') : std::string::npos;
    out += (out.empty() ? "" : " ") + (slash == std::string::npos ? word : word.substr(slash + 1));
  }
  return out;
}

std::string one_trace(const Trace& trace) {
  const auto attribution = attribute(trace.seen.entries);
  const std::string command = words_of(trace);
  std::string out = "<h3><code>" + escaped(command) + "</code></h3>\n";
  if (attribution.total() <= 0) return out + notes(trace);
  const auto bars = bars_of(attribution);
  out += figure_of(bar_chart(bars, Paper::wide, command), bar_chart(bars, Paper::narrow, command),
                   legend_of_operations(), "Share of the time of all threads, by operation.");
  out += operations_table(attribution) + steps_table(trace) + locks_table(trace) +
         functions_table(trace) + notes(trace);
  return out + "<div class=\"scroll flames\">" +
         flame_graph(trace.seen.entries, "Flame graph of " + command, false) +
         "</div>\n<p class=\"caption\">Flame graph: callers below, what they call above; each box "
         "is "
         "as wide as the time spent in it. Rest on a box for its name and time.</p>\n";
}

}  // namespace

std::string section_traces(const Record& record) {
  std::string out;
  for (const auto& json : record.traces) {
    if (const auto trace = trace::parse_trace(json.dump(), "the trace")) out += one_trace(*trace);
  }
  if (out.empty()) return out;
  return heading(
             "traces", "What the kernel does meanwhile",
             "Seen by <code>particle trace</code>: kernel stacks, sampled while threads ran and "
             "timed exactly while they did not, attributed by the functions on them.") +
         out;
}

}  // namespace particle::bench
