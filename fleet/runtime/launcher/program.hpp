// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <particle/result.hpp>

namespace particle::fleet {

/// Runs a program (argv[0] by PATH) to its end and returns what it wrote to its standard output.
/// Errors: not_found when there is no such program; io when it fails, with what it said.
Result<std::string> run_program(const std::vector<std::string>& argv);

}  // namespace particle::fleet
