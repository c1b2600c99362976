// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <thread>

#include <sys/utsname.h>

#include "support/results.hpp"

namespace particle::bench {
namespace {

/// The value of the first line of `path` that begins with `key`.
std::string field_of(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const auto colon = line.find_first_of(":=");
    const auto start = line.find_first_not_of(" \t\"", colon + 1);
    const auto end = line.find_last_not_of(" \t\"");
    if (start != std::string::npos && end != std::string::npos) {
      return line.substr(start, end - start + 1);
    }
  }
  return "unknown";
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace

Json machine() {
  utsname system{};
  uname(&system);
  std::array<double, 3> load{};
  if (getloadavg(load.data(), 3) != 3) load = {};
#ifdef NDEBUG
  const char* build = "release (asserts off)";
#else
  const char* build = "asserts on";
#endif
  return {{"kernel", system.release},
          {"architecture", system.machine},
          {"system", field_of("/etc/os-release", "PRETTY_NAME")},
          {"processor", field_of("/proc/cpuinfo", "model name")},
          {"cpus", std::thread::hardware_concurrency()},
          {"memory", field_of("/proc/meminfo", "MemTotal")},
          {"load_1m", load[0]},
          {"build", build},
          {"date", utc_now()}};
}

}  // namespace particle::bench
