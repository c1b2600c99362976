// SPDX-License-Identifier: Apache-2.0
/// Runs a pipeline: one worker for each task, on whatever starts instances of a function.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle_fleet/job.hpp>
#include <particle_sprocket/pipespec.hpp>

namespace particle::sprocket {

/// Which task is started first when not all can run at once.
enum class Strategy : std::uint8_t {
  overall_time,  ///< upstream stages first, so that each runs as parallel as it can
  first_frame,   ///< what the earliest frames wait for
  streaming,     ///< the same, and no chunk is begun long before its frames are to be shown
};
std::string_view to_string(Strategy strategy) noexcept;
Result<Strategy> parse_strategy(std::string_view text);

/// How items travel between workers.
enum class Transfer : std::uint8_t {
  direct,  ///< pulled straight from the worker that made them
  store,   ///< through files in a directory that all nodes see
};
std::string_view to_string(Transfer transfer) noexcept;
Result<Transfer> parse_transfer(std::string_view text);

struct PipelineOptions {
  /// By the N of input_N: a video file that every node sees at this path, or `null:COUNT` for COUNT
  /// chunks without content.
  std::map<std::uint64_t, std::string> inputs;
  /// By the N of output_N: a file, whose name's ending says the container; `name-%03d.ending` for a file
  /// per chunk; `.mpd` for MPEG-DASH; `null:` for nothing.
  std::map<std::uint64_t, std::string> outputs;
  std::chrono::milliseconds chunk{1000};  ///< how much of an input makes a chunk
  Strategy strategy = Strategy::overall_time;
  Transfer transfer = Transfer::direct;
  std::string store;              ///< its directory; unset: one beside the first output
  std::uint64_t concurrency = 0;  ///< workers that work at once; 0: as many as there are tasks
  std::uint64_t capacity = 0;     ///< workers alive at once, those that only serve included; 0: any
  std::chrono::milliseconds task_timeout{60'000};
  std::uint32_t retries = 2;  ///< of each task
  /// A task that takes far longer than others of its stage took gets a second worker when there is room for
  /// one; what ends first counts, the other is ended.
  bool duplicate_stragglers = false;
  std::vector<std::string> nodes;  ///< stage i runs on node i modulo their number; unset: placed
  std::chrono::milliseconds lead{
      2000};           ///< streaming: how long before its time a chunk may be done
  fleet::JobSpec job;  ///< its function: the worker's program, image and limits
};

/// When what happened to one run of a task. Wall-clock time.
struct TaskRun {
  using Time = std::chrono::system_clock::time_point;
  std::string node;  ///< of the pipespec
  std::uint64_t number = 0;
  std::uint64_t first = 0;
  std::uint64_t frames = 0;
  std::uint32_t attempt = 0;
  std::uint64_t instance = 0;
  std::string where;  ///< the fleet's node
  bool ok = false;
  bool copy = false;  ///< beside another run of the task that took too long
  Time asked;
  std::optional<Time> connected, transferring, processing, done;
  /// By the worker's own clock: pulling its inputs from other workers or the store, connecting included;
  /// making its outputs ready for others, or writing them to the store.
  std::chrono::nanoseconds pulled{0}, handed{0};
};

struct PipelineSummary {
  std::vector<TaskRun> runs;
  std::map<std::uint64_t, std::uint64_t> frames;  ///< by output
  std::uint64_t tasks = 0;
  std::uint64_t retried = 0;          ///< runs beyond the first of a task, without copies
  std::uint64_t copied = 0;           ///< runs beside another one
  std::chrono::nanoseconds total{0};  ///< from the first task asked for to the last one's end
  std::chrono::nanoseconds first_output{0};  ///< until the first frames of an output were there
  std::uint64_t most_alive = 0;
  /// Sums over all runs that succeeded: asked for to connected, pulling, working.
  std::chrono::nanoseconds startup{0}, transferring{0}, processing{0};
};

struct PipelineWatch {
  std::stop_token stop;
  std::function<void(std::size_t done, std::size_t known)> progress;
  std::function<void(const fleet::Event&)> event;  ///< the fleet's, and the workers' own
  std::function<void(const std::string&)> warn;    ///< a task is tried again, and why
};

using StartJob = std::function<Result<std::unique_ptr<fleet::RunningJob>>(const fleet::JobSpec&,
                                                                          fleet::JobObserver&)>;

/// Everything that is wrong with the options for this pipespec, at once. Touches nothing.
Result<void> check_options(const Pipespec& spec, const PipelineOptions& options);

/// Runs it to its end. Outputs appear when they are whole, MPEG-DASH segment by segment; on failure nothing is left of them and no
/// worker lives. Errors: those of check_options; not_found, invalid_argument for an input; interrupted;
/// and whatever ended a task for good, naming stage and chunk.
Result<PipelineSummary> run_pipeline(const Pipespec& spec, const PipelineOptions& options,
                                     const StartJob& start, const PipelineWatch& watch);

}  // namespace particle::sprocket
