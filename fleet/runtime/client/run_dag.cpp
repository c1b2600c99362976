// SPDX-License-Identifier: Apache-2.0
#include <condition_variable>
#include <map>
#include <mutex>

#include <particle_fleet/dag.hpp>

#include "model/dag_sizes.hpp"

namespace particle::fleet {
namespace {

constexpr std::size_t kErrorsKept = 64U << 10;

/// What the stages' observers and the driver share.
struct Shared {
  explicit Shared(const Dag& dag) : plan(dag) {}
  std::mutex mutex;
  std::condition_variable changed;
  DagPlan plan;
  std::optional<Error> lost;
  JobObserver* watch = nullptr;
};

class StageObserver final : public JobObserver {
 public:
  StageObserver(Shared& shared, std::size_t stage, std::uint32_t retries)
      : shared_(shared), stage_(stage), retries_(retries) {}

  void on_event(const Event& event) override {
    const std::scoped_lock lock(shared_.mutex);
    if (shared_.watch != nullptr) shared_.watch->on_event(event);
    InstanceResult& result = results_[event.instance];
    if (event.phase != Phase::done) return;
    if (!is_last(event, retries_)) {
      result = {};  // what a failed attempt wrote is not the output
      return;
    }
    result.ended = event.ended.value_or(Ended::lost);
    result.status = event.status;
    result.node = event.node;
    result.detail = event.detail;
    if (result.ended == Ended::ok && result.output.size() > kMostOutput) {
      result.ended = Ended::failed;
      result.detail = "its output is over 8 MiB";
    }
    shared_.plan.end(stage_, event.instance, std::move(result));
    results_.erase(event.instance);
    shared_.changed.notify_all();
  }

  void on_output(std::uint64_t instance, Stream stream, std::string_view bytes) override {
    const std::scoped_lock lock(shared_.mutex);
    if (shared_.watch != nullptr) shared_.watch->on_output(instance, stream, bytes);
    InstanceResult& result = results_[instance];
    if (stream == Stream::error) {
      result.errors += bytes;
      if (result.errors.size() > 2 * kErrorsKept) {
        result.errors.erase(0, result.errors.size() - kErrorsKept);
      }
    } else if (result.output.size() <= kMostOutput) {
      result.output += bytes;
    }
  }

  void on_lost(const Error& error) override {
    const std::scoped_lock lock(shared_.mutex);
    shared_.lost = error;
    shared_.changed.notify_all();
  }

 private:
  Shared& shared_;
  std::size_t stage_;
  std::uint32_t retries_;
  std::map<std::uint64_t, InstanceResult> results_;
};

/// Observers are there until the last job is gone.
struct Jobs {
  std::vector<std::unique_ptr<StageObserver>> observers;
  std::vector<std::unique_ptr<RunningJob>> jobs;
};

Result<void> add_ready(Jobs& jobs, std::vector<DagPlan::Ready> ready) {
  std::map<std::size_t, std::vector<InstanceSpec>> by_stage;
  for (DagPlan::Ready& one : ready) by_stage[one.stage].push_back(std::move(one.instance));
  for (auto& [stage, instances] : by_stage) {
    if (auto ok = jobs.jobs[stage]->add(std::move(instances)); !ok) return ok;
  }
  return {};
}

Result<void> drive(Shared& shared, Jobs& jobs) {
  while (true) {
    std::vector<DagPlan::Ready> ready;
    {
      std::unique_lock lock(shared.mutex);
      shared.changed.wait(lock, [&] {
        ready = shared.plan.take_ready();
        return !ready.empty() || shared.plan.over() || shared.lost;
      });
      if (shared.lost) return fail(*shared.lost);
      if (ready.empty()) return {};
    }
    // Without the lock: observers need it, and a job may wait for its observer.
    if (auto ok = add_ready(jobs, std::move(ready)); !ok) return ok;
  }
}

}  // namespace

Result<std::vector<std::vector<InstanceResult>>> run_dag(const Dag& dag, const StartFunction& start,
                                                         JobObserver* watch) {
  if (auto ok = check_dag(dag); !ok) return fail(std::move(ok.error()));
  Shared shared(dag);
  shared.watch = watch;
  Jobs jobs;
  for (std::size_t i = 0; i < dag.stages.size(); ++i) {
    const JobSpec job = job_of(dag, dag.stages[i]);
    jobs.observers.push_back(std::make_unique<StageObserver>(shared, i, job.function.retries));
    auto running = start(job, *jobs.observers.back());
    if (!running) return fail(std::move(running.error()));
    jobs.jobs.push_back(std::move(*running));
  }
  if (auto ok = drive(shared, jobs); !ok) return fail(std::move(ok.error()));
  for (const auto& job : jobs.jobs) {
    if (auto ok = job->finish(); !ok) return fail(std::move(ok.error()));
    if (auto ok = job->wait(); !ok) return fail(std::move(ok.error()));
  }
  return shared.plan.results();
}

Result<std::vector<InstanceResult>> map(const JobSpec& job, const std::vector<std::string>& inputs,
                                        const StartFunction& start) {
  Dag dag;
  dag.id = job.id;
  dag.pool = job.pool;
  dag.concurrency = job.concurrency;
  dag.placement = job.placement;
  Stage stage;
  stage.name = "map";
  stage.function = job.function;
  stage.inputs = inputs;
  dag.stages.push_back(std::move(stage));
  if (inputs.empty()) return std::vector<InstanceResult>();
  auto results = run_dag(dag, start);
  if (!results) return fail(std::move(results.error()));
  return std::move(results->front());
}

}  // namespace particle::fleet
