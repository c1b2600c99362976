// SPDX-License-Identifier: Apache-2.0
/// What an instance's first process tells the spawner, in memory that both have. The spawner looks at it
/// when the process says so on the pipe, and when it is gone.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include <sys/types.h>

#include "spawn/failure.hpp"

namespace particle::fleet::spawn {

struct Slot {
  std::int64_t started_at = 0;  ///< nanoseconds, CLOCK_REALTIME; 0: not yet
  std::atomic<bool> ended{false};
  int status = 0;   ///< of the command, as wait(2) has it; with ended
  Failure failure;  ///< it never started
};

/// Nanoseconds, CLOCK_REALTIME.
std::int64_t now();

/// Slots by number, made when first needed; they stay where they are.
class Slots {
 public:
  /// -1: no memory.
  int take();
  void give_back(int number) { free_.push_back(number); }
  Slot& operator[](int number);

 private:
  static constexpr int kBlock = 256;
  std::vector<Slot*> blocks_;
  std::vector<int> free_;
};

}  // namespace particle::fleet::spawn
