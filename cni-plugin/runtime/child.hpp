// SPDX-License-Identifier: Apache-2.0
/// The real runtime as this process, or as its child.
#pragma once

#include <string>
#include <vector>

#include <particle/result.hpp>

namespace particle::runtime {

/// Becomes the runtime: nothing of the wrapper is left. Returns only when that fails.
Error become(const std::string& runtime, const std::vector<std::string>& words);

/// Runs the runtime to its end and returns its exit status (128 + N when signal N ended it).
///
/// To whoever started the wrapper the two are one process: signals are passed on (those of the
/// terminal reach both anyway), and when the wrapper is killed, the runtime is, too. Containers are
/// adopted by the wrapper's subreaper, as they would be without it.
/// Errors: the errno of fork(2). Threads: there must be no other.
Result<int> run_to_end(const std::string& runtime, const std::vector<std::string>& words);

}  // namespace particle::runtime
