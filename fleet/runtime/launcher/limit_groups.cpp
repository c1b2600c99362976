// SPDX-License-Identifier: Apache-2.0
#include "launcher/limit_groups.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace particle::fleet {
namespace {

namespace fs = std::filesystem;

constexpr int kPeriod = 100000;  // us; the kernel's default
constexpr std::chrono::milliseconds kPatience{2000};
constexpr std::chrono::milliseconds kPoll{2};

struct Hierarchy {
  std::string mount;
  bool unified = false;
  std::set<std::string> controllers;
};

std::set<std::string> words_of(const std::string& text, char separator) {
  std::set<std::string> out;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, separator);) {
    while (!word.empty() && std::isspace(static_cast<unsigned char>(word.back())) != 0)
      word.pop_back();
    if (!word.empty()) out.insert(word);
  }
  return out;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Every cgroup hierarchy that is mounted here, with what it controls.
std::vector<Hierarchy> find_hierarchies() {
  std::vector<Hierarchy> all;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id;
    std::string parent;
    std::string device;
    std::string root;
    std::string point;
    words >> id >> parent >> device >> root >> point;
    const std::size_t dash = line.find(" - cgroup");
    if (dash == std::string::npos) continue;
    if (line.compare(dash, 11, " - cgroup2 ") == 0) {
      all.push_back({point, true, words_of(first_line(point + "/cgroup.controllers"), ' ')});
    } else {
      all.push_back({point, false, words_of(line.substr(line.rfind(' ') + 1), ',')});
    }
  }
  return all;
}

std::vector<std::string> needed(const Limits& limits) {
  std::vector<std::string> names;
  if (limits.memory) names.emplace_back("memory");
  if (limits.cpus) names.emplace_back("cpu");
  if (limits.pids) names.emplace_back("pids");
  return names;
}

Result<void> write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.valid() && ::write(file.get(), text.data(), text.size()) >= 0) return {};
  return fail(Error::from_errno(errno, "write " + text + " to " + path));
}

Result<UniqueFd> open_file(const std::string& path, int flags) {
  UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC));
  if (!file.valid()) return fail(Error::from_errno(errno, "open " + path));
  return file;
}

Result<void> ensure_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return fail(Error::from_errno(errno, "make the control group " + path,
                                "limits need root, or delegated control groups"));
}

/// Version 2 wants a controller passed down from group to group.
Result<void> pass_down(const Controller& controller, const std::string& to) {
  std::string path = controller.base;
  for (const fs::path& part : fs::path(to).lexically_relative(controller.base)) {
    if (auto ok = write_file(path + "/cgroup.subtree_control", "+" + controller.name); !ok) {
      return ok;
    }
    path += "/" + part.string();
  }
  return write_file(path + "/cgroup.subtree_control", "+" + controller.name);
}

Result<void> set_memory(const std::string& path, bool unified, std::uint64_t bytes) {
  const std::string text = std::to_string(bytes);
  const std::string file = unified ? "/memory.max" : "/memory.limit_in_bytes";
  if (auto ok = write_file(path + file, text); !ok) return ok;
  // Swap, where the kernel accounts it: version 1 counts both together, version 2 swap alone.
  const std::string swap = path + (unified ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes");
  if (::access(swap.c_str(), F_OK) != 0) return {};
  return write_file(swap, unified ? "0" : text);
}

Result<void> set_cpu(const std::string& path, bool unified, double cpus) {
  const auto quota = std::max(1000L, std::lround(cpus * kPeriod));
  if (unified) {
    return write_file(path + "/cpu.max", std::to_string(quota) + " " + std::to_string(kPeriod));
  }
  if (auto ok = write_file(path + "/cpu.cfs_period_us", std::to_string(kPeriod)); !ok) return ok;
  return write_file(path + "/cpu.cfs_quota_us", std::to_string(quota));
}

/// "oom_kill 3" in a file of such lines.
std::uint64_t count_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  for (std::string word; file >> word >> value;) {
    if (word == name) return value;
  }
  return 0;
}

/// A process that was just killed is in its group for a moment: EBUSY.
bool remove_directory(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (::rmdir(path.c_str()) != 0 && errno != ENOENT) {
    if (errno != EBUSY || std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

void kill_in(const std::string& path) {
  std::ifstream processes(path + "/cgroup.procs");
  for (pid_t pid = 0; processes >> pid;) {
    if (pid > 0) ::kill(pid, SIGKILL);
  }
}

bool has_processes(const std::string& path) {
  return !first_line(path + "/cgroup.procs").empty();
}

/// Depth first. Killing goes on until nothing is left: a process may fork meanwhile.
bool end_tree(const std::string& path) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, ignored)) {
    if (entry.is_directory(ignored)) end_tree(entry.path());
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (has_processes(path) && std::chrono::steady_clock::now() < deadline) {
    kill_in(path);
    std::this_thread::sleep_for(kPoll);
  }
  return remove_directory(path);
}

}  // namespace

Result<LimitGroups> LimitGroups::prepare(const Limits& limits, const std::string& name) {
  const std::vector<std::string> names = needed(limits);
  if (names.empty()) return LimitGroups(limits, name, {});
  const std::vector<Hierarchy> hierarchies = find_hierarchies();
  std::vector<Controller> controllers;
  std::vector<std::string> missing;
  for (const std::string& one : names) {
    const auto found =
        std::find_if(hierarchies.begin(), hierarchies.end(), [&](const Hierarchy& h) {
          return h.controllers.contains(one) && ::access(h.mount.c_str(), W_OK) == 0;
        });
    if (found == hierarchies.end()) {
      missing.push_back("limits." + std::string(one == "cpu" ? "cpus" : one) +
                        ": no control group of " + one + " that can be written to");
    } else {
      controllers.push_back({one, found->mount, found->unified});
    }
  }
  if (missing.empty()) return LimitGroups(limits, name, std::move(controllers));
  Error error = Error::of(Errc::unsupported, "keep instances within their limits",
                          "limits need root, or delegated control groups");
  error.details = std::move(missing);
  return fail(std::move(error));
}

LimitGroups::LimitGroups(LimitGroups&& other) noexcept
    : limits_(other.limits_),
      name_(std::move(other.name_)),
      controllers_(std::exchange(other.controllers_, {})) {}

LimitGroups::~LimitGroups() {
  for (const Controller& one : controllers_) end_tree(one.base + "/" + name_);
}

Result<void> LimitGroups::set(const Controller& controller, const std::string& path) const {
  if (controller.name == "memory") return set_memory(path, controller.unified, *limits_.memory);
  if (controller.name == "cpu") return set_cpu(path, controller.unified, *limits_.cpus);
  return write_file(path + "/pids.max", std::to_string(*limits_.pids));
}

UniqueFd& LimitGroups::place_of(Instance& instance, const Controller& controller) {
  if (controller.unified) return instance.directory;
  if (controller.name == "memory") return instance.memory;
  return controller.name == "cpu" ? instance.cpu : instance.pids;
}

Result<void> LimitGroups::make_in(const Controller& controller, const std::string& above,
                                  std::uint64_t number, Instance& instance) const {
  if (auto ok = ensure_directory(above); !ok) return ok;
  if (controller.unified) {
    if (auto ok = pass_down(controller, above); !ok) return ok;
  }
  const std::string path = above + "/" + std::to_string(number);
  if (auto ok = ensure_directory(path); !ok) return ok;
  if (std::find(instance.paths.begin(), instance.paths.end(), path) == instance.paths.end()) {
    instance.paths.push_back(path);
  }
  if (auto ok = set(controller, path); !ok) return ok;
  const std::string file = controller.unified ? path : path + "/cgroup.procs";
  auto opened = open_file(file, controller.unified ? O_RDONLY | O_DIRECTORY : O_WRONLY);
  if (!opened) return fail(opened.error());
  place_of(instance, controller) = *std::move(opened);
  return {};
}

Result<LimitGroups::Instance> LimitGroups::make(std::uint64_t number, const std::string& above) {
  Instance instance;
  for (const Controller& one : controllers_) {
    const std::string place = one.unified && !above.empty() ? above : one.base + "/" + name_;
    if (auto ok = make_in(one, place, number, instance); !ok) {
      remove(instance);
      return fail(ok.error());
    }
  }
  return instance;
}

bool LimitGroups::was_out_of_memory(const Instance& instance) {
  return std::any_of(instance.paths.begin(), instance.paths.end(), [](const std::string& path) {
    return count_of(path + "/memory.events", "oom_kill") > 0 ||
           count_of(path + "/memory.oom_control", "oom_kill") > 0;
  });
}

void LimitGroups::remove(const Instance& instance) {
  for (const std::string& path : instance.paths) remove_directory(path);
}

std::vector<std::string> end_limit_groups(const std::string& name) {
  std::vector<std::string> ended;
  for (const Hierarchy& one : find_hierarchies()) {
    const std::string path = one.mount + "/" + name;
    if (::access(path.c_str(), F_OK) == 0 && end_tree(path)) ended.push_back(path);
  }
  return ended;
}

}  // namespace particle::fleet
