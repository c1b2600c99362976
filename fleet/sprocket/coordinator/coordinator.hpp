// SPDX-License-Identifier: Apache-2.0
/// Starts a worker for every task as soon as its inputs are there, tries again what fails, and keeps
/// workers alive as long as someone pulls from them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <particle_sprocket/pipeline.hpp>

#include "coordinator/flow.hpp"
#include "coordinator/inbox.hpp"
#include "coordinator/instances.hpp"
#include "coordinator/order.hpp"

namespace particle::sprocket {

/// Where workers write what does not go from worker to worker.
struct WorkPlaces {
  std::map<std::uint64_t, std::string> outputs;  ///< a directory for the parts of each output_N
  std::string store;                             ///< for everything else; empty: it is served
};

class Coordinator {
 public:
  Coordinator(const Pipespec& spec, const PipelineOptions& options, const PipelineWatch& watch,
              WorkPlaces places);

  [[nodiscard]] Flow& flow() noexcept { return flow_; }
  /// `look` is called whenever something may have arrived at an output.
  void on_arrivals(std::function<void()> look) { arrivals_ = std::move(look); }
  /// Seconds between two frames, for streaming.
  void set_rate(double frames_per_second) noexcept { rate_ = frames_per_second; }
  /// Runs all tasks; no worker lives afterwards, however it ends.
  Result<PipelineSummary> run(const StartJob& start);

 private:
  using Clock = std::chrono::steady_clock;

  /// What is known of a task beyond the flow.
  struct TaskState {
    enum class At : std::uint8_t { ready, working, done } at = At::ready;
    std::uint32_t attempts = 0;
    bool again = false;
    std::uint64_t instance = 0;         ///< that works on it, or serves what it made
    std::optional<std::uint64_t> copy;  ///< another one that works on it, too
    bool copied = false;                ///< there was one: it gets no further
    std::vector<std::string> failures;
    Clock::time_point begun{};
  };

  Result<void> loop();
  Result<void> handle(const Report& report);
  Result<void> on_event(const fleet::Event& event);
  Result<void> on_output(const Wrote& wrote);
  Result<void> on_line(std::uint64_t index, const std::string& line);
  void on_phase(std::uint64_t index, const std::string& phase, std::int64_t nanoseconds);
  Result<void> on_done(std::uint64_t index, const nlohmann::json& body);
  Result<void> on_error(std::uint64_t index, const nlohmann::json& body);
  Result<void> on_gone(std::uint64_t index, const fleet::Event& event);

  void take_fired();
  Result<void> schedule();
  [[nodiscard]] std::optional<TaskId> choose();
  [[nodiscard]] std::optional<TaskId> best_of(Clock::time_point now, Strategy strategy,
                                              bool any_place);
  [[nodiscard]] bool may_begin(TaskId task, Clock::time_point now);
  Result<void> start_worker(TaskId task, bool copy = false);
  [[nodiscard]] std::optional<TaskId> find_straggler(Clock::time_point now) const;
  Result<void> copy_stragglers();
  void note_duration(const Instance& instance);
  [[nodiscard]] std::optional<std::uint64_t> other_copy(TaskId task, std::uint64_t index) const;
  void end_other_copy(TaskId task, std::uint64_t winner);
  [[nodiscard]] std::string message_for(TaskId task) const;
  [[nodiscard]] std::optional<std::string> place_of(TaskId task, bool copy) const;
  [[nodiscard]] std::string path_for(TaskId task, const std::string& port) const;

  Result<void> fail_task(std::uint64_t index, const std::string& why);
  void rerun(TaskId task);
  void lose_outputs(TaskId task);
  void end_instance(std::uint64_t index);
  void release_unneeded();
  Result<void> check_time();
  void note_latency(TaskId task);
  [[nodiscard]] Clock::time_point next_wake() const;
  PipelineSummary summarise();

  const Pipespec& spec_;
  const PipelineOptions& options_;
  const PipelineWatch& watch_;
  WorkPlaces places_;
  std::function<void()> arrivals_;
  Flow flow_;
  Inbox inbox_;
  std::unique_ptr<fleet::RunningJob> job_;
  std::map<TaskId, TaskState> tasks_;
  std::map<std::uint64_t, Instance> instances_;  ///< alive
  std::set<TaskId> ready_;
  std::set<TaskId> serving_;  ///< done, and their worker lives
  std::set<std::string> lost_nodes_;
  std::map<std::size_t, std::vector<std::chrono::nanoseconds>> took_;  ///< by the pipespec's node
  std::uint64_t next_instance_ = 0;
  std::uint64_t working_ = 0;
  std::uint64_t deepest_ = 0;
  double rate_ = 25;
  // Streaming
  std::optional<Clock::time_point> shown_;  ///< when the first frame could be shown
  std::chrono::nanoseconds latency_{0};     ///< smoothed: from a chunk's first task to its output
  std::map<std::uint64_t, Clock::time_point> begun_;  ///< by position of a chunk's first frame
  std::optional<Clock::time_point> held_until_;
  PipelineSummary summary_;
  std::optional<Clock::time_point> start_;
};

}  // namespace particle::sprocket
