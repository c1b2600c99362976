// SPDX-License-Identifier: Apache-2.0
/// Runs a program to its end: ffmpeg, ffprobe, a user's stage.
#pragma once

#include <string>
#include <vector>

#include <particle/result.hpp>

namespace particle::sprocket {

struct Program {
  std::vector<std::string> arguments;  ///< the program first, looked up in PATH
  /// What the program finds at which descriptor; /dev/null at 0 and 1 where unset.
  std::vector<std::pair<int, int>> descriptors;  ///< (the program's, ours)
};

/// Waits for it. It dies with the calling thread. Errors: not_found when there is no such program;
/// kernel with the last lines of its standard error when it fails.
Result<void> run_program(const Program& program);

}  // namespace particle::sprocket
