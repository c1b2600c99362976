// SPDX-License-Identifier: Apache-2.0
#include "node_sweep.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "files/files.hpp"

namespace particle::cni {
namespace {

namespace fs = std::filesystem;

/// Longer than any ADD takes between its first file and its pool.
constexpr auto kQuiet = std::chrono::minutes(10);

std::string boot_of(const std::string& id) {
  return id.substr(0, id.find('-'));
}

bool is_quiet(const std::string& directory) {
  std::error_code failed;
  auto youngest = fs::last_write_time(directory, failed);
  for (fs::recursive_directory_iterator it(directory, failed), end; !failed && it != end;
       it.increment(failed)) {
    const auto written = fs::last_write_time(it->path(), failed);
    if (failed) return false;  // somebody is at work
    youngest = std::max(youngest, written);
  }
  return !failed && youngest + kQuiet < fs::file_time_type::clock::now();
}

}  // namespace

void try_sweep_nodes(const std::string& run_dir, const std::string& own_id) {
  const std::string base = run_dir + "/cni";
  for (const auto& id : list_directory(base).value_or(std::vector<std::string>{})) {
    if (id == own_id) continue;
    std::error_code failed;
    const std::string directory = base + "/" + id;
    const bool earlier_boot = boot_of(id) != boot_of(own_id);
    const bool has_pools = fs::exists(run_dir + "/node-" + id, failed);
    if (earlier_boot || (!has_pools && is_quiet(directory))) fs::remove_all(directory, failed);
  }
  std::error_code failed;
  fs::remove(base, failed);  // goes when it is empty
}

}  // namespace particle::cni
