// SPDX-License-Identifier: Apache-2.0
/// Exact calls and times of a few kernel functions, by fentry or kprobes, whichever the kernel has.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "trace/trace.hpp"

namespace particle::trace {

/// How the entry and the return of a kernel function are seen.
enum class FunctionWay : std::uint8_t {
  automatic,  ///< fentry where the kernel allows it, else kprobes, else none
  fentry,
  kprobe,
  none,
};
std::string_view to_string(FunctionWay way) noexcept;

class FunctionTracer {
 public:
  /// Attaches to every function of the list that this kernel has. `tasks` is the map of the threads
  /// that are followed. What was tried in vain is said in `missing`. Never fails: without it a trace
  /// only lacks a table.
  static FunctionTracer start(FunctionWay wanted, int tasks, std::vector<std::string>& missing);
  FunctionTracer(FunctionTracer&&) noexcept;
  FunctionTracer& operator=(FunctionTracer&&) noexcept;
  ~FunctionTracer();

  /// none where it could not be attached.
  [[nodiscard]] FunctionWay way() const;
  /// Detaches and reads: functions that were called, in the order of the list.
  [[nodiscard]] std::vector<FunctionTime> finish();
  /// Time inside its own programs, where the kernel counts it.
  [[nodiscard]] double programs_ms() const;

 private:
  struct State;
  explicit FunctionTracer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace particle::trace
