// SPDX-License-Identifier: Apache-2.0
/// How probes put down what they found.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/error.hpp>
#include <particle/probe.hpp>

namespace particle::probe {

/// What does not depend on the machine.
struct Subject {
  std::string_view name;
  std::string_view purpose;
  std::string_view minimum_kernel;
  bool essential = false;
};

/// What the machine said.
struct Finding {
  ProbeState state = ProbeState::unknown;
  std::string detail;
  std::string advice;
};

inline Finding ok(std::string detail) {
  return {ProbeState::ok, std::move(detail), {}};
}
inline Finding no(std::string detail, std::string advice) {
  return {ProbeState::no, std::move(detail), std::move(advice)};
}
inline Finding unknown(std::string detail, std::string advice) {
  return {ProbeState::unknown, std::move(detail), std::move(advice)};
}
/// A refusal: its own hint, or else `advice`.
Finding refused(const Error& error, std::string_view advice);

using Report = std::vector<ProbeResult>;
void add(Report& report, const Subject& subject, Finding finding);

/// The first line of a small file without its end of line; nullopt when it cannot be read.
std::optional<std::string> read_line(const std::string& path);
std::optional<long long> read_number(const std::string& path);

// The groups, in the order of the report.
void probe_kernel(Report& report);
void probe_user(Report& report);
void probe_network(Report& report);
void probe_run_dir(Report& report, const std::string& run_dir);
void probe_limits(Report& report);
void probe_enforcement(Report& report);

}  // namespace particle::probe
