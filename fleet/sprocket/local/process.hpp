// SPDX-License-Identifier: Apache-2.0
/// A child process with its three pipes.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::sprocket {

struct LocalProcess {
  pid_t pid = 0;
  UniqueFd handle;                ///< a pidfd
  UniqueFd input, output, error;  ///< our ends, non-blocking
  /// To its whole process group. Not after it was reaped.
  void signal(int number) const;
};

/// Starts `command` as the leader of a process group; it dies with the calling thread. `environment` is
/// added to this process's. Errors: not_found for the program; kernel.
Result<LocalProcess> start_process(const std::vector<std::string>& command,
                                   const std::vector<std::string>& environment);

}  // namespace particle::sprocket
