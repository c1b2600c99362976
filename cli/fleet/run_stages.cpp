// SPDX-License-Identifier: Apache-2.0
// `fleet run --job FILE`: a DAG of stages.
#include <cerrno>
#include <chrono>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stop_token>

#include <nlohmann/json.hpp>

#include <particle_fleet/dag.hpp>
#include <particle_fleet/failure.hpp>

#include "exit_codes.hpp"
#include "fleet/run_fleet.hpp"
#include "fleet/runner.hpp"
#include "fleet/tally.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

using Json = nlohmann::json;
using Results = std::vector<std::vector<fleet::InstanceResult>>;
using Clock = std::chrono::steady_clock;

/// Threads: any.
class StagesWatch final : public fleet::JobObserver {
 public:
  void on_event(const fleet::Event& event) override {
    const std::scoped_lock lock(mutex_);
    events_.push_back(event);
    done_ += event.phase == fleet::Phase::done ? 1U : 0U;
  }
  void on_output(std::uint64_t /*instance*/, fleet::Stream /*stream*/,
                 std::string_view /*bytes*/) override {}
  void on_lost(const Error& /*error*/) override {}

  [[nodiscard]] std::size_t done() const {
    const std::scoped_lock lock(mutex_);
    return done_;
  }
  /// After the end.
  [[nodiscard]] const std::vector<fleet::Event>& events() const noexcept { return events_; }

 private:
  mutable std::mutex mutex_;
  std::vector<fleet::Event> events_;
  std::size_t done_ = 0;
};

Result<fleet::Dag> read_dag(const std::string& path) {
  errno = 0;
  const std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Error::from_errno(errno, "open " + path));
  std::ostringstream text;
  text << file.rdbuf();
  return fleet::parse_dag(text.str());
}

std::uint64_t failed_in(const std::vector<fleet::InstanceResult>& results) {
  std::uint64_t failed = 0;
  for (const auto& result : results) failed += result.ended == fleet::Ended::ok ? 0U : 1U;
  return failed;
}

Json stage_to_json(const std::string& name, const std::vector<fleet::InstanceResult>& results) {
  Json instances = Json::array();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto& result = results[i];
    instances.push_back({{"instance", i},
                         {"ended", fleet::to_string(result.ended)},
                         {"status", result.status},
                         {"node", result.node},
                         {"detail", result.detail},
                         {"output", result.output},
                         {"error_output", result.errors}});
  }
  return {{"name", name}, {"failed", failed_in(results)}, {"instances", std::move(instances)}};
}

void print_json_results(const fleet::Dag& dag, const Results& results, double total_ms) {
  Json stages = Json::array();
  for (std::size_t i = 0; i < results.size(); ++i) {
    stages.push_back(stage_to_json(dag.stages[i].name, results[i]));
  }
  const Json out = {{"job", dag.id}, {"stages", std::move(stages)}, {"total_ms", total_ms}};
  print(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool is_followed(const fleet::Dag& dag, const std::string& name) {
  for (const fleet::Stage& stage : dag.stages) {
    for (const std::string& before : stage.after) {
      if (before == name) return true;
    }
  }
  return false;
}

/// The first instance of a stage that failed, as `fleet run` tells it. Its attempts are in the events.
std::string failure_to_text(const fleet::Dag& dag, std::size_t stage,
                            const fleet::InstanceResult& result, std::uint64_t index,
                            const std::vector<fleet::Event>& events, bool has_agent) {
  const fleet::Function& function = dag.stages[stage].function;
  const std::string job = dag.id + "." + dag.stages[stage].name;
  Tally tally(function.retries);
  for (const fleet::Event& event : events) {
    if (event.job == job && event.instance == index) tally.take(event);
  }
  fleet::FailureFacts facts = tally.failure_of(index).value_or(fleet::FailureFacts{});
  // What never was an instance (it waited for one that failed) has no event.
  facts.done.job = job;
  facts.done.instance = index;
  facts.done.node = result.node;
  facts.done.ended = result.ended;
  facts.done.status = result.status;
  facts.done.detail = result.detail;
  facts.pool = dag.pool;
  facts.function = &function;
  facts.errors = result.errors;
  facts.has_agent = has_agent;
  return fleet::describe_failure(facts).to_text();
}

/// What the last stages wrote goes to stdout, the rest to stderr.
void print_text_results(const fleet::Dag& dag, const Results& results, double total_ms,
                        const std::vector<fleet::Event>& events, bool has_agent) {
  std::string summary;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const fleet::Stage& stage = dag.stages[i];
    const std::uint64_t failed = failed_in(results[i]);
    summary += stage.name + ": " + counted(results[i].size(), "instance") + ", " +
               std::to_string(failed) + " failed\n";
    bool told = false;
    for (std::size_t k = 0; k < results[i].size(); ++k) {
      const auto& result = results[i][k];
      if (!is_followed(dag, stage.name)) print(result.output);
      if (result.ended == fleet::Ended::ok || told) continue;
      told = true;
      summary += "failed: " + failure_to_text(dag, i, result, k, events, has_agent);
    }
  }
  summary += format_ms(total_ms) + " ms in all\n";
  std::fwrite(summary.data(), 1, summary.size(), stderr);
}

}  // namespace

Result<int> run_fleet_stages(Context& context, const FleetRunRequest& request) {
  const auto dag = read_dag(*request.job_file);
  if (!dag) return fail(dag.error());
  auto files = EventFiles::open(request);
  if (!files) return fail(std::move(files.error()));
  auto signals = overlay::Signals::open();
  if (!signals) return fail(std::move(signals.error()));
  auto runner = Runner::open(context, request);
  if (!runner) return fail(std::move(runner.error()));
  const fleet::StartFunction start = [&](const fleet::JobSpec& job, fleet::JobObserver& observer) {
    return runner->start(job, observer);
  };
  StagesWatch watch;
  std::stop_source stop;
  Results results;
  const auto begin = Clock::now();
  const auto run_all = [&]() -> Result<void> {
    auto ran = fleet::run_dag(*dag, start, &watch, stop.get_token());
    if (!ran) return fail(std::move(ran.error()));
    results = std::move(*ran);
    return {};
  };
  const Waited waited = wait_for_end(
      run_all, [&] { stop.request_stop(); },
      [&](Progress& progress) {
        progress.set_label(std::to_string(watch.done()) + " ended");
        progress.update(0, 1);
      },
      *signals);
  const double total_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  const auto written = files->write(watch.events());
  if (waited.interrupted) return kExitInterrupted;
  if (!waited.ended) return fail(waited.ended.error());
  context.json ? print_json_results(*dag, results, total_ms)
               : print_text_results(*dag, results, total_ms, watch.events(), runner->has_agent());
  if (!written) return fail(written.error());
  for (const auto& stage : results) {
    if (failed_in(stage) > 0) return kExitKernel;
  }
  return kExitOk;
}

}  // namespace particle::cli
