// SPDX-License-Identifier: Apache-2.0
/// The log: to stderr, silent unless -v is given. spdlog stays in log.cpp.
#pragma once

#include <string_view>

namespace particle::cli {

/// 0: nothing; 1: what is done; 2 and more: details, too.
void set_log_verbosity(int verbosity);
bool log_enabled() noexcept;
void log_info(std::string_view text);
void log_debug(std::string_view text);

}  // namespace particle::cli
