// SPDX-License-Identifier: Apache-2.0
#include "model/check.hpp"

#include <cmath>
#include <set>

#include <particle/pool.hpp>

namespace particle::fleet {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLeastMemory = 1U << 20;
constexpr double kLeastCpus = 0.01;  // the kernel's least quota: 1 ms in 100
constexpr double kMostCpus = 65536;
constexpr std::uint32_t kMostRetries = 1000;
constexpr std::chrono::milliseconds kLongest = 366 * 24h;
constexpr std::size_t kLongestWord = 128 * 1024;  // MAX_ARG_STRLEN, execve(2)

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

bool is_absolute(std::string_view path) {
  return path.starts_with('/') && !has_nul(path);
}

/// A `..` would lead out of an image before it is the root.
bool climbs(const std::string& path) {
  return ("/" + path + "/").find("/../") != std::string::npos;
}

void check_word(const std::string& where, const std::string& word, Faults& faults) {
  if (has_nul(word)) faults.add(where + ": has a NUL byte");
  if (word.size() >= kLongestWord) faults.add(where + ": longer than 128 KiB");
}

void check_command(const std::string& where, const std::vector<std::string>& command,
                   Faults& faults) {
  if (!command.empty() && command.front().empty()) faults.add(where + "[0]: empty");
  for (std::size_t i = 0; i < command.size(); ++i) {
    check_word(where + "[" + std::to_string(i) + "]", command[i], faults);
  }
}

void check_environment(const std::string& where, const std::vector<std::string>& environment,
                       Faults& faults) {
  for (const std::string& word : environment) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      faults.add(where + ": " + in_quotes(word) + " is not NAME=value");
    }
    check_word(where + ": " + in_quotes(word.substr(0, equals)), word, faults);
  }
}

void check_image(const std::string& image, Faults& faults) {
  constexpr std::string_view kLayout = "oci:";
  const bool layout = image.starts_with(kLayout);
  const std::string path = layout ? image.substr(kLayout.size()) : image;
  if (image.empty() || is_absolute(path)) return;
  faults.add("image: " + in_quotes(image) +
             " is neither an absolute directory nor oci:DIRECTORY[:TAG]");
}

void check_mounts(const std::vector<Mount>& mounts, Faults& faults) {
  std::set<std::string> targets;
  for (const Mount& mount : mounts) {
    const std::string where = "mount " + in_quotes(mount.source + ":" + mount.target);
    if (!is_absolute(mount.source)) faults.add(where + ": the source is no absolute path");
    if (!is_absolute(mount.target)) faults.add(where + ": the target is no absolute path");
    if (climbs(mount.target)) faults.add(where + ": the target has a `..`");
    if (mount.target == "/") faults.add(where + ": the target is the root");
    if (!targets.insert(mount.target).second) faults.add(where + ": the target is mounted twice");
  }
}

void check_limits(const Limits& limits, Faults& faults) {
  if (limits.memory && *limits.memory < kLeastMemory) {
    faults.add("memory: " + std::to_string(*limits.memory) + " bytes is under 1 MiB");
  }
  if (limits.cpus &&
      (std::isnan(*limits.cpus) || *limits.cpus < kLeastCpus || *limits.cpus > kMostCpus)) {
    faults.add("cpus: a number from 0.01 to 65536 is expected");
  }
  if (limits.pids && *limits.pids == 0) faults.add("pids: at least 1");
  if (limits.wall_time < 0ms || limits.wall_time > kLongest) {
    faults.add("wall time: 0 to 366 days are expected");
  }
}

}  // namespace

void check_function(const Function& function, Faults& faults) {
  check_image(function.image, faults);
  // An OCI image's configuration may name one.
  if (function.command.empty() && !function.image.starts_with("oci:")) {
    faults.add("command: missing");
  }
  check_command("command", function.command, faults);
  check_environment("environment", function.environment, faults);
  if (!is_absolute(function.directory)) {
    faults.add("directory: " + in_quotes(function.directory) + " is no absolute path");
  }
  check_mounts(function.mounts, faults);
  check_limits(function.limits, faults);
  if (function.retries > kMostRetries) {
    faults.add("retries: " + std::to_string(function.retries) + " is over 1000");
  }
}

Result<void> check_function(const Function& function) {
  Faults faults;
  check_function(function, faults);
  return faults.verdict("function");
}

Result<void> check_job(const JobSpec& job) {
  Faults faults;
  if (auto ok = check_name("job id", job.id); !ok) faults.add("", ok.error());
  if (auto ok = check_name("pool name", job.pool); !ok) faults.add("", ok.error());
  check_function(job.function, faults);
  return faults.verdict("job " + in_quotes(job.id));
}

Result<void> check_instances(const std::vector<InstanceSpec>& instances) {
  Faults faults;
  std::set<std::uint64_t> used;
  for (const InstanceSpec& instance : instances) {
    const std::string where = "instance " + std::to_string(instance.index);
    if (!used.insert(instance.index).second) faults.add(where + ": given twice");
    check_command(where + ": command", instance.command, faults);
    check_environment(where + ": environment", instance.environment, faults);
    if (instance.node && instance.node->empty()) faults.add(where + ": node: empty");
  }
  return faults.verdict("instances");
}

}  // namespace particle::fleet
