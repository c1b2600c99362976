// SPDX-License-Identifier: Apache-2.0
#include "support/fd_leak.hpp"

#include <filesystem>
#include <system_error>

namespace particle::test {
namespace {

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the directory's own descriptor shows up in its listing
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    const bool is_listing = target.filename() == "fd" && target.string().starts_with("/proc/");
    if (!gone && !is_listing) {
      found.emplace(std::stoi(entry.path().filename().string()), target.string());
    }
  }
  return found;
}

}  // namespace

FdLeak::FdLeak() : before_(open_descriptors()) {}

std::vector<std::string> FdLeak::leaked() const {
  std::vector<std::string> names;
  for (const auto& [fd, target] : open_descriptors()) {
    const auto old = before_.find(fd);
    if (old == before_.end() || old->second != target) {
      names.push_back(std::to_string(fd) + " -> " + target);
    }
  }
  return names;
}

}  // namespace particle::test
