// SPDX-License-Identifier: Apache-2.0
/// The workers that live, and the lines they write.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <particle_sprocket/pipeline.hpp>

#include "coordinator/flow.hpp"

namespace particle::sprocket {

/// One worker: it works on its task, and then serves what it made until it is released.
struct Instance {
  TaskId task = 0;
  bool working = true;    ///< its task is not done
  bool released = false;  ///< told to end, or killed
  std::size_t run = 0;    ///< index of its times in the summary
  std::optional<std::chrono::steady_clock::time_point> started;  ///< then its time-out counts
  std::string output;                                            ///< an unfinished line
  std::string errors;                                            ///< the end of its standard error
  std::string reason;  ///< why it is to be seen as failed, where that is known
};

/// Adds bytes to a line under construction and returns the lines that are whole. Pure.
std::vector<std::string> take_lines(std::string& pending, std::string_view bytes);

/// "killed by signal 9 (Killed)", "exit status 1": how an instance ended, for people.
std::string describe_end(const fleet::Event& event);

}  // namespace particle::sprocket
