// SPDX-License-Identifier: Apache-2.0
/// What is said of a file that could not be had.
#pragma once

#include <string>

#include <particle/error.hpp>

namespace particle {

/// "VERB PATH" with the errno, and a hint where the user can do something about it.
Error path_error(int error, const char* verb, const std::string& path);

}  // namespace particle
