// SPDX-License-Identifier: Apache-2.0
#include "log.hpp"

#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

namespace particle::cli {
namespace {

// Made on the first use of -v: a quiet run pays nothing for spdlog.
spdlog::logger* logger = nullptr;

}  // namespace

void set_log_verbosity(int verbosity) {
  if (verbosity <= 0) {
    return;
  }
  static spdlog::logger instance("particle",
                                 std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>());
  instance.set_pattern("%H:%M:%S.%e %^%l%$ %v");
  instance.set_level(verbosity == 1 ? spdlog::level::info : spdlog::level::debug);
  logger = &instance;
}

bool log_enabled() noexcept {
  return logger != nullptr;
}

void log_info(std::string_view text) {
  if (logger != nullptr) {
    logger->info("{}", text);
  }
}

void log_debug(std::string_view text) {
  if (logger != nullptr) {
    logger->debug("{}", text);
  }
}

}  // namespace particle::cli
