// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_log.hpp"

#include <memory>

#include <unistd.h>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

namespace particle::cli {
namespace {

using overlay::Severity;

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return spdlog::level::debug;
    case Severity::info:
    case Severity::notice:
      return spdlog::level::info;
    case Severity::warning:
      return spdlog::level::warn;
    case Severity::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

int priority_of(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return 7;
    case Severity::info:
      return 6;
    case Severity::notice:
      return 5;
    case Severity::warning:
      return 4;
    case Severity::error:
      return 3;
  }
  return 3;
}

}  // namespace

std::function<void(Severity, const std::string&)> open_agent_log(int verbosity) {
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  auto logger = std::make_shared<spdlog::logger>(
      "agent", std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>());
  logger->set_pattern(terminal ? "%H:%M:%S.%e %^%l%$ %v" : "%v");
  logger->set_level(verbosity > 0 ? spdlog::level::debug : spdlog::level::info);
  logger->flush_on(spdlog::level::debug);
  return [logger, terminal](Severity severity, const std::string& text) {
    // spdlog has no level `notice`, so that the prefix cannot be its pattern's.
    const std::string prefix =
        terminal ? std::string() : "<" + std::to_string(priority_of(severity)) + ">";
    logger->log(level_of(severity), "{}{}", prefix, text);
  };
}

}  // namespace particle::cli
