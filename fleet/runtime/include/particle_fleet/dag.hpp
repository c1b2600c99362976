// SPDX-License-Identifier: Apache-2.0
/// Jobs that are made of stages, whose outputs are the next ones' inputs, and `map`, the simplest of them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <particle_fleet/job.hpp>

namespace particle::fleet {

/// What a stage waits for.
enum class Delivery : std::uint8_t {
  each,  ///< instance i starts when instance i of every stage before it is done, and reads their outputs
  all,  ///< one barrier: its instances start when all before are done, and each reads all outputs
};
std::string_view to_string(Delivery delivery) noexcept;

struct Stage {
  std::string name;
  Function function;
  std::vector<std::string> after;      ///< names of stages; none: it begins at once
  Delivery delivery = Delivery::each;  ///< of a stage that comes after others
  std::vector<std::string> inputs;     ///< of a stage that begins: an instance for each
  std::uint64_t count = 0;  ///< instances, where neither inputs nor `each` say how many; 0: 1
};

/// Plain data; `check_dag` names what is wrong with it.
struct Dag {
  std::string id;  ///< the stages' jobs are called ID.STAGE
  std::string pool;
  std::uint64_t concurrency = 0;  ///< of each stage
  Placement placement = Placement::round_robin;
  std::vector<Stage> stages;
};

/// Everything at once: names twice or unknown, cycles, stages of different sizes joined by `each`, and
/// what check_job says of each. Pure.
Result<void> check_dag(const Dag& dag);
/// The JSON form (docs/fleet.md), checked. Errors: invalid_argument, all at once.
Result<Dag> parse_dag(std::string_view json);

struct InstanceResult {
  Ended ended = Ended::refused;
  int status = 0;
  std::string output;  ///< what it wrote to stdout
  std::string errors;  ///< the end of what it wrote to stderr
  std::string node;
  std::string detail;
};

/// An output that is longer makes its instance fail: it has to travel as the next one's input.
inline constexpr std::size_t kMostOutput = 8U << 20;

/// Which instances of which stage can start: the order of a DAG. Pure. Check the DAG before.
class DagPlan {
 public:
  struct Ready {
    std::size_t stage = 0;
    InstanceSpec instance;
  };

  explicit DagPlan(const Dag& dag);
  /// What can start now and was not taken before.
  std::vector<Ready> take_ready();
  /// An instance has ended for good. Those that wait for its output are never started when it failed.
  void end(std::size_t stage, std::uint64_t instance, InstanceResult result);
  [[nodiscard]] bool over() const noexcept { return open_ == 0; }
  /// By stage, then by instance.
  [[nodiscard]] const std::vector<std::vector<InstanceResult>>& results() const noexcept {
    return results_;
  }

 private:
  struct Wait {
    std::vector<std::size_t> after;
    std::vector<std::size_t> before;
    Delivery delivery = Delivery::each;
    std::vector<std::uint64_t> missing;  ///< ends that an instance waits for; for `all` one number
  };
  void settle(std::size_t stage, std::uint64_t instance, const std::string& failed);
  [[nodiscard]] std::string input_of(std::size_t stage, std::uint64_t instance) const;

  std::vector<Wait> waits_;
  std::vector<std::string> names_;
  std::vector<std::vector<InstanceResult>> results_;
  std::vector<std::vector<bool>> ended_;
  std::vector<std::vector<bool>> started_;
  std::deque<Ready> ready_;
  std::uint64_t open_ = 0;
};

using StartFunction =
    std::function<Result<std::unique_ptr<RunningJob>>(const JobSpec& job, JobObserver& observer)>;

/// Runs a DAG to its end: `start` is a Launcher's or a Client's. `watch`, where given, hears all events.
/// Returns by stage, in the order of Dag::stages, then by instance; an instance that failed is no error.
/// Errors: those of check_dag and `start`; the loss of a job.
Result<std::vector<std::vector<InstanceResult>>> run_dag(const Dag& dag, const StartFunction& start,
                                                         JobObserver* watch = nullptr);

/// One instance of a function for each input; their results in the order of the inputs.
Result<std::vector<InstanceResult>> map(const JobSpec& job, const std::vector<std::string>& inputs,
                                        const StartFunction& start);

}  // namespace particle::fleet
