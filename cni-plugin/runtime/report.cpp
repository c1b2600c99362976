// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <array>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "json_text.hpp"

namespace particle::runtime {
namespace {

/// RFC 3339, as logrus writes it.
std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text.data(), size};
}

std::string log_entry(const CommandLine& line, const std::string& level,
                      const std::string& message) {
  const std::string words = json_string(message);
  if (line.log_json) {
    return R"({"level":)" + json_string(level) + R"(,"msg":)" + words + R"(,"time":")" + now() +
           "\"}\n";
  }
  return "time=\"" + now() + "\" level=" + level + " msg=" + words + "\n";
}

/// One write, so that lines of several processes do not mix. What cannot be logged is lost: there is
/// no better place left to complain in.
void append(int fd, const std::string& text) {
  static_cast<void>(::write(fd, text.data(), text.size()) > 0);
}

void log(const CommandLine& line, const std::string& level, const Error& error) {
  const std::string message = describe(line, error);
  const std::string entry = log_entry(line, level, message);
  if (line.log.empty()) {
    append(STDERR_FILENO, entry);
    return;
  }
  const UniqueFd file(::open(line.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (file.valid()) append(file.get(), entry);
  append(STDERR_FILENO, message + "\n");
}

}  // namespace

std::string describe(const CommandLine& line, const Error& error) {
  std::string text = "particle-runc: ";
  if (!line.id.empty()) text += "container " + line.id + ": ";
  text += error.message();
  for (const std::string& detail : error.details) text += "; " + detail;
  if (!error.hint.empty()) text += " (" + error.hint + ")";
  return text;
}

int report_failure(const CommandLine& line, const Error& error) {
  log(line, "error", error);
  return kExitFailure;
}

void report_warning(const CommandLine& line, const Error& error) {
  log(line, "warning", error);
}

}  // namespace particle::runtime
