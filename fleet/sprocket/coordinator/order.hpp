// SPDX-License-Identifier: Apache-2.0
/// Which task comes first. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <tuple>
#include <vector>

#include <particle_sprocket/pipeline.hpp>

namespace particle::sprocket {

struct Standing {
  bool again = false;  ///< failed before, or made again for someone who waits
  std::uint64_t depth = 0;
  std::uint64_t deepest = 0;  ///< of the pipeline
  std::uint64_t first = 0;    ///< position of its first frame
  std::uint64_t task = 0;
};

/// The smaller, the earlier.
std::tuple<bool, std::uint64_t, std::uint64_t, std::uint64_t> rank(Strategy strategy,
                                                                   const Standing& standing);

/// When a streaming pipeline may begin the chunk whose first frame is shown `position` after the first
/// one: early enough that a chunk which takes `latency` is there `lead` before its time.
/// `shown`: when the first frame is shown. Pure.
std::chrono::steady_clock::time_point begin_of(std::chrono::steady_clock::time_point shown,
                                               std::chrono::nanoseconds position,
                                               std::chrono::nanoseconds latency,
                                               std::chrono::nanoseconds lead);

/// Does a task that has run for `so_far` take far longer than others of its stage took? `took`: theirs, in any
/// order. Pure.
bool is_straggler(std::chrono::nanoseconds so_far, std::vector<std::chrono::nanoseconds> took);

/// Whether a task of this depth may start beside `alive` others. The last places are kept for later
/// stages: workers that wait to be pulled from would else keep their own pullers out. Pure.
bool has_room(std::uint64_t capacity, std::uint64_t alive, std::uint64_t depth,
              std::uint64_t deepest);

}  // namespace particle::sprocket
