// SPDX-License-Identifier: Apache-2.0
/// A job: instances of one function in one pool. `RunningJob` is what a caller drives, whether the
/// instances are on this node (launcher.hpp) or on many (client.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/ip.hpp>
#include <particle/result.hpp>
#include <particle_fleet/event.hpp>
#include <particle_fleet/function.hpp>

namespace particle::fleet {

/// Which of the nodes that have room gets the next instance.
enum class Placement : std::uint8_t {
  round_robin,  ///< each in turn
  most_free,    ///< the one with the most free endpoints
};
std::string_view to_string(Placement placement) noexcept;
/// "round-robin" or "most-free". Errors: invalid_argument, naming the choices.
Result<Placement> parse_placement(std::string_view text);

struct JobSpec {
  std::string id;    ///< a name; unique among the living jobs of a fleet
  std::string pool;  ///< of every node that takes part
  Function function;
  std::uint64_t concurrency = 0;  ///< instances alive at once, in all; 0: as many as endpoints
  Placement placement = Placement::round_robin;  ///< of instances that name no node
};

struct InstanceSpec {
  std::uint64_t index = 0;               ///< the caller's number for it; unique within the job
  std::string input;                     ///< written to its standard input
  bool keep_input = false;               ///< more will come by send(); else its input ends here
  std::vector<std::string> environment;  ///< added to the function's
  std::vector<std::string> command;      ///< unset: the function's
  std::optional<std::string> node{};     ///< this one and no other; unset: placed
  std::optional<IpAddress> address{};    ///< this endpoint of the pool and no other
};

enum class Stream : std::uint8_t { output, error };

/// Learns what happens. Threads: called by one thread at a time, never the caller's of RunningJob;
/// must not block for long and may call RunningJob's members.
class JobObserver {
 public:
  virtual ~JobObserver() = default;
  virtual void on_event(const Event& event) = 0;
  /// What an instance wrote; pieces are cut anywhere.
  virtual void on_output(std::uint64_t instance, Stream stream, std::string_view bytes) = 0;
  /// The connection to the job is gone; no more calls follow.
  virtual void on_lost(const Error& error) = 0;
};

/// A job that takes instances until finish(). Destroying it kills what still runs.
/// Threads: members may be called concurrently, from any thread.
class RunningJob {
 public:
  virtual ~RunningJob() = default;
  /// Returns when they are queued; the observer hears the rest.
  /// Errors: invalid_argument (all at once), already_exists for an index that was used, not_found for a
  /// node, exhausted when a pool can never hold what is pinned to it.
  virtual Result<void> add(std::vector<InstanceSpec> instances) = 0;
  /// Errors: not_found for an instance that does not run or whose input has ended.
  virtual Result<void> send(std::uint64_t instance, std::string_view bytes) = 0;
  virtual Result<void> close_input(std::uint64_t instance) = 0;
  /// SIGKILL ends all its processes; another signal goes to its first one.
  virtual Result<void> signal(std::uint64_t instance, int number) = 0;
  /// No more instances will come. wait() returns when the last has ended.
  virtual Result<void> finish() = 0;
  /// Ends every instance, within a second. Idempotent.
  virtual void kill() = 0;
  /// Blocks until finish() was called and all have ended, or the job is lost.
  virtual Result<void> wait() = 0;
};

/// Everything that is wrong with a function or a job, at once. Touches nothing.
Result<void> check_function(const Function& function);
Result<void> check_job(const JobSpec& job);

}  // namespace particle::fleet
