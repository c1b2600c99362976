// SPDX-License-Identifier: Apache-2.0
#include "engines/programs.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

namespace particle::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFolders{"usr/bin", "usr/sbin", "bin", "sbin", "usr/lib/podman"};

/// Where the components are below; empty when there are none.
std::string components_root() {
  std::error_code failed;
  const char* chosen = std::getenv("PARTICLE_COMPONENTS");
  // build/<preset>/bin -> build/components
  const fs::path directory =
      chosen != nullptr ? fs::path(chosen) : fs::path(own_directory()) / "../../components";
  const auto root = fs::canonical(directory / "root", failed);
  return failed ? std::string() : root.string();
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= path.size();) {
    const auto colon = std::min(path.find(':', at), path.size());
    if (colon > at) out.push_back(path.substr(at, colon - at));
    at = colon + 1;
  }
  return out;
}

/// In the order in which they are searched.
std::vector<std::string> folders() {
  std::vector<std::string> out;
  if (const std::string root = components_root(); !root.empty()) {
    for (const char* folder : kFolders) out.push_back((fs::path(root) / folder).string());
  }
  if (const char* path = std::getenv("PATH"); path != nullptr) {
    for (auto& folder : split(path)) out.push_back(std::move(folder));
  }
  // A user's PATH may lack the system programs' directories.
  for (const char* folder : kFolders) out.push_back("/" + std::string(folder));
  return out;
}

}  // namespace

std::string own_directory() {
  std::error_code failed;
  return fs::read_symlink("/proc/self/exe", failed).parent_path().string();
}

std::optional<std::string> find_program(const std::string& name) {
  std::error_code failed;
  for (const std::string& folder : folders()) {
    const fs::path path = fs::path(folder) / name;
    if (::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path, failed)) {
      return path.string();
    }
  }
  return std::nullopt;
}

std::optional<std::string> find_directory(const std::string& path) {
  std::error_code failed;
  for (const std::string& root : {components_root(), std::string("/")}) {
    const fs::path whole = fs::path(root) / path;
    if (!root.empty() && fs::is_directory(whole, failed)) return whole.string();
  }
  return std::nullopt;
}

Words engine_environment(const std::string& first) {
  std::string path = first;
  for (const std::string& folder : folders()) path += ":" + folder;
  Words out{"PATH=" + path};
  const std::string root = components_root();
  if (root.empty()) return out;
  std::error_code failed;
  for (const char* machine : {"x86_64-linux-gnu", "aarch64-linux-gnu"}) {
    const fs::path libraries = fs::path(root) / "usr/lib" / machine;
    if (!fs::exists(libraries, failed)) continue;
    // Debian 12 has some libraries below /lib, which is the same directory only where it is installed.
    out.push_back("LD_LIBRARY_PATH=" + libraries.string() + ":" +
                  (fs::path(root) / "lib" / machine).string());
    if (fs::exists(libraries / "xtables", failed)) {
      out.push_back("XTABLES_LIBDIR=" + (libraries / "xtables").string());
    }
  }
  return out;
}

}  // namespace particle::bench
