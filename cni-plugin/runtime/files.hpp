// SPDX-License-Identifier: Apache-2.0
/// The few file operations that the wrapper needs. Paths are absolute.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "files/files.hpp"

namespace particle::runtime {

/// More than any bundle's config.json has.
inline constexpr std::size_t kLargestFile = 64U << 20U;

/// nullopt when there is no such file. Errors: the errno, with the path; corrupt_state over
/// kLargestFile.
Result<std::optional<std::string>> read_file(const std::string& path);
/// By rename(2): a reader sees the old text or the new one. Keeps the owner and permissions of a
/// file that is there already; a new one gets `mode`. Errors: the errno, with the path.
Result<void> replace_file(const std::string& path, const std::string& text, mode_t mode = 0600);
bool exists(const std::string& path);
/// `path` below the current directory when it is relative, with links resolved as far as it exists.
std::string absolute(const std::string& path);

/// An flock(2) on a directory. Whoever holds it knows that nobody else is at work in it, and that
/// nobody who was there before is: the kernel gives it up when its holder dies.
class DirectoryLock {
 public:
  /// Makes the directory when it is missing. nullopt when somebody else holds the lock.
  static Result<std::optional<DirectoryLock>> try_make(const std::string& path);
  /// As try_make, but waits up to ten seconds for another holder, and errors: not_found.
  static Result<std::optional<DirectoryLock>> wait_for(const std::string& path);

  /// Removes the directory with the plain files in it. The lock is held to the end.
  [[nodiscard]] Result<void> remove_directory() const;

 private:
  DirectoryLock(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  static Result<std::optional<DirectoryLock>> try_open(const std::string& path);

  std::string path_;
  UniqueFd fd_;
};

}  // namespace particle::runtime
