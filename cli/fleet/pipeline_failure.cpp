// SPDX-License-Identifier: Apache-2.0
#include "fleet/pipeline_failure.hpp"

#include <algorithm>
#include <map>
#include <string>

#include <particle_fleet/failure.hpp>

namespace particle::cli {
namespace {

using fleet::Ended;
using fleet::Event;
using fleet::Phase;

constexpr std::size_t kMostWorkers = 8;

/// Ended by itself, not by the coordinator for what it had answered or because it was of no more use.
bool ended_by_itself(const Event& done) {
  return done.ended && *done.ended != Ended::ok && *done.ended != Ended::killed;
}

/// "worker instance 3 on node n2 exited with status 3". One that the coordinator ended has said why itself.
std::string in_words(const Event& done, const fleet::Function& function) {
  const std::string who = "worker instance " + std::to_string(done.instance) +
                          (done.node.empty() ? std::string() : " on node " + done.node);
  return ended_by_itself(done) ? who + " " + fleet::end_in_words(done, function)
                               : who + " was ended after that";
}

/// The workers of a task, as far as they said that they were, and those that ended before they could.
std::vector<Event> workers_of(const std::string& task, const std::vector<Event>& events) {
  std::map<std::uint64_t, std::string> tasks;
  for (const Event& event : events) {
    const bool by_worker = event.phase == Phase::connected || event.phase == Phase::transferring ||
                           event.phase == Phase::processing;
    if (by_worker) tasks[event.instance] = event.detail;
  }
  std::vector<Event> out;
  for (const Event& event : events) {
    if (event.phase != Phase::done) continue;
    const auto found = tasks.find(event.instance);
    if (found == tasks.end() ? ended_by_itself(event) : found->second == task) out.push_back(event);
  }
  return out;
}

/// The error's reason: what has refused here is no kernel.
class Ending final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "pipeline"; }
  [[nodiscard]] std::string message(int /*value*/) const override {
    return "the pipeline has ended";
  }
};

std::error_code has_ended() {
  static const Ending category;
  return {1, category};
}

std::string what_next(const std::vector<Event>& workers, const fleet::JobSpec& job,
                      bool has_agent) {
  std::string out = "--events FILE keeps what every worker did";
  if (has_agent && !workers.empty()) {
    out += "; `particle fleet logs " + job.id + " --instance " +
           std::to_string(workers.back().instance) + "` has what the last one wrote";
  }
  if (!workers.empty() && workers.back().ended == Ended::lost) {
    out += "; `particle fleet nodes --pool " + job.pool + "` says which nodes live";
  }
  return out;
}

}  // namespace

Error explain_pipeline(Error error, const fleet::JobSpec& job, const std::vector<Event>& events,
                       bool has_agent) {
  const std::size_t end = error.operation.find(": failed ");
  if (end == std::string::npos || error.details.empty()) return error;
  const std::vector<Event> workers = workers_of(error.operation.substr(0, end), events);
  error.code = has_ended();
  error.operation = "job " + job.id + ": " + error.operation;
  const std::size_t first = workers.size() - std::min(workers.size(), kMostWorkers);
  for (std::size_t i = first; i < workers.size(); ++i) {
    error.details.push_back(in_words(workers[i], job.function));
  }
  if (error.hint.empty()) error.hint = what_next(workers, job, has_agent);
  return error;
}

}  // namespace particle::cli
