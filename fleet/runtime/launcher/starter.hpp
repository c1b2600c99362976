// SPDX-License-Identifier: Apache-2.0
/// What starts a job's instances: `particle-spawn`, or somebody else's runtime. Internal.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/lease.hpp>
#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::fleet {

/// One instance to start.
struct Begin {
  std::uint64_t token = 0;  ///< the job's name for this start: never used twice
  Lease lease;
  std::vector<std::string> command;
  std::vector<std::string> environment;
  std::string hostname;
  std::string hosts;  ///< what /etc/hosts says
  UniqueFd input;     ///< unset: /dev/null
  UniqueFd output;
  UniqueFd error;
};

/// What became of one.
struct Progress {
  enum class What : std::uint8_t {
    created,
    started,
    ended,    ///< value: the wait status
    refused,  ///< it never started: text says why
  };
  std::uint64_t token = 0;
  What what = What::created;
  std::chrono::system_clock::time_point at;
  int value = 0;
  bool out_of_memory = false;
  std::string text;
};

/// Threads: one at a time.
class Starter {
 public:
  Starter() = default;
  Starter(const Starter&) = delete;
  Starter& operator=(const Starter&) = delete;
  /// Whatever still runs is ended, and nothing is left.
  virtual ~Starter() = default;

  /// The process that the instances cannot outlive: their leases are bound to it.
  [[nodiscard]] virtual pid_t process() const = 0;
  /// Instances to start, in order. What happens is heard from pump(), which is to be called right after
  /// this: it says also what failed.
  virtual void begin(std::vector<Begin> instances) = 0;
  /// SIGKILL ends all of an instance's processes, another signal goes to its command.
  virtual void signal(std::uint64_t token, int number) = 0;
  virtual void kill_all() = 0;
  /// For when kill_all() does not help in time.
  virtual void kill_hard() = 0;
  /// To be watched with epoll: when it is ready, for whatever it wants, pump() has something to do.
  [[nodiscard]] virtual int fd() const = 0;
  [[nodiscard]] virtual bool wants_to_write() const { return false; }
  /// Errors: it is gone, and its instances with it.
  virtual Result<std::vector<Progress>> pump() = 0;
};

}  // namespace particle::fleet
