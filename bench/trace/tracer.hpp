// SPDX-License-Identifier: Apache-2.0
/// The eBPF programs: loaded, attached, following threads, and read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "trace/functions.hpp"
#include "trace/trace.hpp"

namespace particle::trace {

struct TracerOptions {
  unsigned hertz =
      3999;  ///< samples each second and processor; odd, to keep out of step with timers
  /// Programs whose step marks are read (those of libparticle and the baselines).
  std::vector<std::string> marked_programs;
  FunctionWay functions = FunctionWay::automatic;
};

class Tracer {
 public:
  /// Loads and attaches everything that this kernel offers; what it does not is in
  /// Observations::missing. Errors: permission_denied, unsupported, when nothing can be traced.
  /// Kernel: 5.5 for BTF tracepoints; 5.19 for lock contention.
  static Result<Tracer> start(const TracerOptions& options);
  Tracer(Tracer&&) noexcept;
  Tracer& operator=(Tracer&&) noexcept;
  ~Tracer();

  /// Follows the threads of a process and whatever they start from now on. Errors: not_found.
  [[nodiscard]] Result<void> follow(pid_t process);
  /// Detaches and reads what was seen since start(), symbols included.
  [[nodiscard]] Result<Observations> finish();

 private:
  struct State;
  explicit Tracer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace particle::trace
