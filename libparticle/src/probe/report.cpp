// SPDX-License-Identifier: Apache-2.0
#include "probe/report.hpp"

#include <charconv>
#include <fstream>
#include <utility>

namespace particle::probe {

Finding refused(const Error& error, std::string_view advice) {
  return no(error.message(), error.hint.empty() ? std::string(advice) : error.hint);
}

void add(Report& report, const Subject& subject, Finding finding) {
  ProbeResult result;
  result.name = subject.name;
  result.purpose = subject.purpose;
  result.minimum_kernel = subject.minimum_kernel;
  result.essential = subject.essential;
  result.state = finding.state;
  result.detail = std::move(finding.detail);
  result.advice = std::move(finding.advice);
  report.push_back(std::move(result));
}

std::optional<std::string> read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<long long> read_number(const std::string& path) {
  const auto line = read_line(path);
  if (!line) return std::nullopt;
  long long value = 0;
  const auto parsed = std::from_chars(line->data(), line->data() + line->size(), value);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return value;
}

}  // namespace particle::probe
