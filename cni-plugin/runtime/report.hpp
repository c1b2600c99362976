// SPDX-License-Identifier: Apache-2.0
/// What goes wrong, told the way runc tells it, so that engines find it where they look for it: the
/// last error in the file of --log, in its format, and on standard error.
#pragma once

#include <string>

#include <particle/error.hpp>

#include "command_line.hpp"

namespace particle::runtime {

/// The exit code of every failure of a runtime's verb.
inline constexpr int kExitFailure = 1;

/// One line: `particle-runc: container ID: operation: reason; detail; detail (hint)`.
std::string describe(const CommandLine& line, const Error& error);

/// Writes the failure. Returns kExitFailure.
int report_failure(const CommandLine& line, const Error& error);
/// Something is not as it should be, but the verb did its work.
void report_warning(const CommandLine& line, const Error& error);

}  // namespace particle::runtime
