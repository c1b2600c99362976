// SPDX-License-Identifier: Apache-2.0
/// What was seen of the threads that were followed, and where their time went.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>

namespace particle::trace {

using Json = nlohmann::ordered_json;

/// What a thread did at a stack.
enum class Kind : std::uint8_t {
  running,  ///< on a processor
  blocked,  ///< off the processors, waiting for something
  runnable  ///< off the processors, waiting for one
};
std::string_view to_string(Kind kind) noexcept;

/// Time at one kernel stack.
struct Entry {
  std::string command;  ///< the thread's name
  std::string step;     ///< "S1", as libparticle marks it; empty outside of any
  Kind kind = Kind::running;
  std::vector<std::string> frames;  ///< outermost first; empty: in user space
  double ms = 0;
};

struct LockWait {
  std::string where;  ///< the function that took it
  std::uint64_t count = 0;
  double ms = 0;
  double longest_ms = 0;
};

struct MarkedStep {
  std::string name;
  std::uint64_t count = 0;
  double ms = 0;
};

/// A kernel function whose calls were timed one by one.
struct FunctionTime {
  std::string function;  ///< "copy_net_ns"
  std::string what;      ///< "creating a network namespace"
  std::uint64_t count = 0;
  double ms = 0;
};

/// Everything seen between start and end.
struct Observations {
  double wall_ms = 0;
  std::vector<Entry> entries;
  std::vector<LockWait> locks;
  std::vector<MarkedStep> steps;
  /// Calls by the threads that were followed; one within another counts in both.
  std::vector<FunctionTime> functions;
  std::string functions_by;  ///< "fentry" or "kprobe"; empty where the kernel has neither
  std::uint64_t forks = 0;
  std::uint64_t execs = 0;
  std::uint64_t lost = 0;  ///< stacks and entries that found no place
  unsigned hertz = 0;      ///< how often each processor was sampled
  double programs_ms = 0;  ///< time inside the tracer's own eBPF programs, all processors together
  std::vector<std::string> missing;  ///< what this kernel or user cannot do, and what it costs
};

// ---- attribution: pure ---------------------------------------------------------------------------

/// What the kernel, or a program, was doing.
struct Operation {
  std::string_view id;    ///< "moves"
  std::string_view name;  ///< "moving devices between namespaces"
};
/// Every operation, in the order in which they are shown.
std::vector<Operation> operations();

/// The operation that a stack belongs to: the id of one of operations().
std::string_view operation_of(const Entry& entry);

/// How the time of an operation passed.
struct Share {
  double running_ms = 0;
  double rcu_ms = 0;       ///< waiting for an RCU grace period
  double rtnl_ms = 0;      ///< waiting for the rtnl lock
  double blocked_ms = 0;   ///< waiting for anything else
  double runnable_ms = 0;  ///< waiting for a processor
  [[nodiscard]] double total() const {
    return running_ms + rcu_ms + rtnl_ms + blocked_ms + runnable_ms;
  }
  void add(const Entry& entry);
};

struct Attribution {
  struct Row {
    Operation operation;
    Share share;
  };
  std::vector<Row> rows;  ///< as operations(), without "idle"
  double idle_ms = 0;     ///< waiting for other processes, timers and input: part of no share
  [[nodiscard]] double total() const;
};
Attribution attribute(const std::vector<Entry>& entries);
/// The same for what happened in one step only.
Attribution attribute(const std::vector<Entry>& entries, std::string_view step);

// ---- what is written -----------------------------------------------------------------------------

inline constexpr std::string_view kTraceFormat = "particle-trace";
inline constexpr std::uint64_t kTraceVersion = 2;

struct Trace {
  std::string program;               ///< "particle 0.1.0"
  std::vector<std::string> command;  ///< empty: a process that ran already
  std::optional<int> process;
  std::optional<int> exit_code;
  Observations seen;
};

Json to_json(const Trace& trace);
/// Errors: invalid_argument when it is no trace or of another version.
Result<Trace> parse_trace(std::string_view text, const std::string& name);

/// One SVG: each row a level of the call stack, each box as wide as the time spent below it. `alone`
/// makes it a file of its own, with its styles; otherwise the page has them.
std::string flame_graph(const std::vector<Entry>& entries, const std::string& title, bool alone);

}  // namespace particle::trace
