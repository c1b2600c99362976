// SPDX-License-Identifier: Apache-2.0
#include "fleet/pipeline_report.hpp"

#include <cstdio>

#include "text.hpp"

namespace particle::cli {
namespace {

using nlohmann::json;
using sprocket::PipelineSummary;
using sprocket::Pipespec;
using sprocket::TaskRun;
using std::chrono::nanoseconds;

double to_ms(nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// The time of one stage's tasks.
struct StageTimes {
  std::uint64_t tasks = 0;
  nanoseconds startup{0}, transferring{0}, processing{0};
};

StageTimes times_of(const PipelineSummary& summary, const std::string& node) {
  StageTimes out;
  for (const TaskRun& run : summary.runs) {
    if (run.node != node || !run.ok || !run.connected || !run.processing || !run.done) continue;
    ++out.tasks;
    out.startup += *run.connected - run.asked;
    out.transferring += *run.processing - *run.connected;
    out.processing += *run.done - *run.processing;
  }
  return out;
}

std::string percent(nanoseconds part, nanoseconds whole) {
  char text[16];
  const double share = whole.count() == 0 ? 0 : 100.0 * to_ms(part) / to_ms(whole);
  std::snprintf(text, sizeof text, "%.1f%%", share);
  return text;
}

std::string mean(nanoseconds sum, std::uint64_t count) {
  return count == 0 ? "-" : format_ms(to_ms(sum) / static_cast<double>(count)) + " ms";
}

json run_to_json(const TaskRun& run) {
  json out{{"stage", run.node},        {"chunk", run.number},
           {"first_frame", run.first}, {"frames", run.frames},
           {"attempt", run.attempt},   {"instance", run.instance},
           {"node", run.where},        {"ok", run.ok}};
  const auto since = [&](const std::optional<TaskRun::Time>& time) -> json {
    if (!time) return nullptr;
    return to_ms(*time - run.asked);
  };
  out["connected_ms"] = since(run.connected);
  out["processing_ms"] = since(run.processing);
  out["done_ms"] = since(run.done);
  return out;
}

}  // namespace

json spec_to_json(const Pipespec& spec) {
  json nodes = json::array();
  for (const auto& node : spec.nodes) {
    nodes.push_back({{"name", node.name},
                     {"stage", node.stage},
                     {"delivery_function", node.delivery->name},
                     {"inputs", node.inputs},
                     {"outputs", node.outputs},
                     {"depth", node.depth}});
  }
  return {{"pipespec", spec.name},
          {"nodes", nodes},
          {"inputs", spec.inputs},
          {"outputs", spec.outputs}};
}

std::string spec_to_text(const Pipespec& spec, const Style& style) {
  Table table({"NODE", "STAGE", "DELIVERY", "INPUTS", "OUTPUTS"});
  for (const auto& node : spec.nodes) {
    table.add({node.name, node.stage, std::string(node.delivery->name), join_words(node.inputs),
               join_words(node.outputs)});
  }
  return table.to_string(style) + "\n" + style.good("nothing is wrong with it") + "\n";
}

json summary_to_json(const Pipespec& spec, const PipelineSummary& summary) {
  json frames = json::object();
  for (const auto& [output, count] : summary.frames) frames[std::to_string(output)] = count;
  json stages = json::array();
  for (const auto& node : spec.nodes) {
    const StageTimes times = times_of(summary, node.name);
    stages.push_back({{"stage", node.name},
                      {"tasks", times.tasks},
                      {"startup_ms", to_ms(times.startup)},
                      {"transfer_ms", to_ms(times.transferring)},
                      {"processing_ms", to_ms(times.processing)}});
  }
  json runs = json::array();
  for (const TaskRun& run : summary.runs) runs.push_back(run_to_json(run));
  return {{"pipespec", spec.name},
          {"tasks", summary.tasks},
          {"tried_again", summary.retried},
          {"copied", summary.copied},
          {"most_alive", summary.most_alive},
          {"frames", frames},
          {"total_ms", to_ms(summary.total)},
          {"first_output_ms", to_ms(summary.first_output)},
          {"startup_ms", to_ms(summary.startup)},
          {"transfer_ms", to_ms(summary.transferring)},
          {"processing_ms", to_ms(summary.processing)},
          {"stages", stages},
          {"runs", runs}};
}

std::string summary_to_text(const Pipespec& spec, const PipelineSummary& summary,
                            const Style& style) {
  std::uint64_t frames = 0;
  for (const auto& [output, count] : summary.frames) frames += count;
  std::string out = counted(summary.tasks, "task") + ", " + counted(frames, "frame") + " out; " +
                    format_ms(to_ms(summary.total)) + " ms in all, first frames after " +
                    format_ms(to_ms(summary.first_output)) + " ms; " +
                    std::to_string(summary.most_alive) + " workers alive at most";
  if (summary.retried > 0) out += "; " + std::to_string(summary.retried) + " tried again";
  if (summary.copied > 0)
    out += "; " + std::to_string(summary.copied) + " run twice for taking long";
  Table table({"STAGE", "TASKS", "START-UP", "TRANSFER", "PROCESSING"});
  for (const auto& node : spec.nodes) {
    const StageTimes times = times_of(summary, node.name);
    table.add({node.name, std::to_string(times.tasks), mean(times.startup, times.tasks),
               mean(times.transferring, times.tasks), mean(times.processing, times.tasks)});
  }
  const nanoseconds all = summary.startup + summary.transferring + summary.processing;
  table.add({"share of all", std::to_string(summary.tasks), percent(summary.startup, all),
             percent(summary.transferring, all), percent(summary.processing, all)});
  return out + "\n\n" + table.to_string(style);
}

}  // namespace particle::cli
