// SPDX-License-Identifier: Apache-2.0
#include "harness/machine.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

#include <sys/utsname.h>

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

/// Jiffies of all processors since the boot: /proc/stat, proc(5).
struct Jiffies {
  std::uint64_t all = 0;
  std::uint64_t idle = 0;
  std::uint64_t stolen = 0;
};

Jiffies read_jiffies() {
  std::ifstream file("/proc/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  std::string name;
  words >> name;
  constexpr std::size_t kIdle = 3;
  constexpr std::size_t kWaitingForDisk = 4;
  constexpr std::size_t kStolen = 7;
  Jiffies out;
  std::uint64_t value = 0;
  // The two guest columns are contained in user and nice.
  for (std::size_t i = 0; i <= kStolen && words >> value; ++i) {
    out.all += value;
    if (i == kIdle || i == kWaitingForDisk) out.idle += value;
    if (i == kStolen) out.stolen = value;
  }
  return out;
}

}  // namespace

Load measure_load(std::chrono::milliseconds during) {
  const Jiffies before = read_jiffies();
  std::this_thread::sleep_for(during);
  const Jiffies after = read_jiffies();
  const auto all = static_cast<double>(after.all - before.all);
  if (all <= 0) return {};
  const auto idle = static_cast<double>(after.idle - before.idle);
  return {1 - idle / all, static_cast<double>(after.stolen - before.stolen) / all};
}

double kernel_memory_kib() {
  {
    // Counters are kept per processor and summed up once a second; reading this file does it now.
    std::ifstream refresh("/proc/sys/vm/stat_refresh");
    std::string nothing;
    std::getline(refresh, nothing);
  }
  std::ifstream file("/proc/meminfo");
  double sum = 0;
  for (std::string line; std::getline(file, line);) {
    for (const char* field : {"Slab:", "Percpu:", "KernelStack:", "PageTables:"}) {
      if (line.starts_with(field)) sum += std::stod(line.substr(line.find(':') + 1));
    }
  }
  return sum;
}

double own_memory_kib() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(line.find(':') + 1));
  }
  return 0;
}

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
