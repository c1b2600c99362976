// SPDX-License-Identifier: Apache-2.0
#include "trace/table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "text.hpp"

namespace particle::cli {
namespace {

constexpr std::size_t kWidth = 88;
constexpr std::size_t kMostLocks = 5;

std::string formatted(double value, int digits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string ms(double value) {
  if (value <= 0) return "-";
  if (value < 10) return formatted(value, 2);
  return formatted(value, value < 100 ? 1 : 0);
}

std::string right(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string operations_table(const trace::Attribution& attribution, const Style& style) {
  const double all = attribution.total();
  std::string out = style.bold(
      "  what the time went to                     ms   share  running     RCU    rtnl   other  no "
      "CPU");
  out += "\n";
  for (const auto& row : attribution.rows) {
    const auto& share = row.share;
    if (share.total() <= 0) continue;
    std::string line = "  " + std::string(row.operation.name);
    line.resize(38, ' ');
    line += right(ms(share.total()), 8) + right(formatted(share.total() / all * 100, 1) + "%", 8);
    line += right(ms(share.running_ms), 9);
    for (const double part : {share.rcu_ms, share.rtnl_ms, share.blocked_ms, share.runnable_ms}) {
      line += right(ms(part), 8);
    }
    out += line + "\n";
  }
  return out;
}

/// What took most of a step: "moving devices between namespaces 96%".
std::string mostly(const trace::Attribution& attribution) {
  const double all = attribution.total();
  const auto most = std::max_element(
      attribution.rows.begin(), attribution.rows.end(),
      [](const auto& a, const auto& b) { return a.share.total() < b.share.total(); });
  if (all <= 0 || most == attribution.rows.end()) return "-";
  return std::string(most->operation.name) + " " + formatted(most->share.total() / all * 100, 0) +
         "%";
}

std::string steps_table(const trace::Observations& seen, const Style& style) {
  if (seen.steps.empty()) return {};
  std::string out = "\n" + style.bold("  step         times        ms  mostly") + "\n";
  for (const auto& step : seen.steps) {
    std::string line = "  " + step.name;
    line.resize(10, ' ');
    out += line + right(std::to_string(step.count), 8) + right(ms(step.ms), 10) + "  " +
           mostly(trace::attribute(seen.entries, step.name)) + "\n";
  }
  return out;
}

std::string locks_table(const trace::Observations& seen, const Style& style) {
  if (seen.locks.empty()) return {};
  std::string out =
      "\n" + style.bold("  locks waited for, taken in              times        ms  longest") +
      "\n";
  for (std::size_t i = 0; i < std::min(kMostLocks, seen.locks.size()); ++i) {
    const auto& lock = seen.locks[i];
    std::string line = "  " + lock.where;
    line.resize(38, ' ');
    out += line + right(std::to_string(lock.count), 9) + right(ms(lock.ms), 10) +
           right(ms(lock.longest_ms), 9) + "\n";
  }
  return out;
}

std::string subject_of(const trace::Trace& trace) {
  if (trace.command.empty()) return "process " + std::to_string(trace.process.value_or(0));
  std::string words = join(trace.command, " ");
  constexpr std::size_t kLongest = 60;
  if (words.size() > kLongest) words = words.substr(0, kLongest) + "...";
  return words;
}

std::string functions_table(const trace::Observations& seen, const Style& style) {
  if (seen.functions.empty()) return {};
  std::string out =
      "\n" +
      style.bold("  kernel functions, by " + seen.functions_by + "               calls      ms") +
      "\n";
  for (const auto& each : seen.functions) {
    std::string line = "  " + each.function + " (" + each.what + ")";
    line.resize(std::max<std::size_t>(line.size() + 1, 38), ' ');
    out += line + right(std::to_string(each.count), 8) + right(ms(each.ms), 8) + "\n";
  }
  return out;
}

std::string own_cost(const trace::Observations& seen) {
  if (seen.hertz == 0 && seen.programs_ms <= 0) return {};
  return "Own cost: " + formatted(seen.programs_ms, 2) + " ms in its eBPF programs, " +
         formatted(seen.wall_ms > 0 ? seen.programs_ms / seen.wall_ms * 100 : 0, 2) +
         "% of the time it watched" +
         (seen.hertz > 0 ? "; " + std::to_string(seen.hertz) + " samples each second" : "") + ".";
}

}  // namespace

std::string trace_to_text(const trace::Trace& trace, const Style& style) {
  const auto& seen = trace.seen;
  const auto attribution = trace::attribute(seen.entries);
  std::string out = "particle trace: " + subject_of(trace) + ": " + ms(seen.wall_ms) + " ms, " +
                    counted(seen.forks, "fork") + ", " + counted(seen.execs, "program") +
                    " started\n";
  if (attribution.total() > 0) {
    out += "\n" + operations_table(attribution, style) + steps_table(seen, style) +
           locks_table(seen, style) + functions_table(seen, style) + "\n";
    out +=
        indent(wrap("Times of all threads together, in milliseconds; waiting for other processes, "
                    "timers and input (" +
                        ms(attribution.idle_ms) + " ms) is left out. " + own_cost(seen),
                    kWidth - 2),
               2);
  }
  if (seen.lost > 0) {
    out += indent(wrap("Lost: " + std::to_string(seen.lost) +
                           " stacks found no place; their time is in none of the rows.",
                       kWidth - 2),
                  2);
  }
  for (const auto& missing : seen.missing) {
    out += indent(wrap("Missing: " + missing, kWidth - 2), 2);
  }
  return out;
}

}  // namespace particle::cli
