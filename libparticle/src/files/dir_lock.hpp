// SPDX-License-Identifier: Apache-2.0
/// Locks on directories.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle {

/// An flock(2) on a directory itself, so that no lock file is left behind. After the lock is had,
/// the path is checked to still be that directory: a holder may remove the directory it locked.
class DirLock {
 public:
  enum class Mode { shared, exclusive };
  /// Waits. Makes the directory when `create`; otherwise errors: not_found.
  static Result<DirLock> acquire(const std::string& path, Mode mode, bool create);
  /// nullopt when somebody else holds it, or when there is no such directory.
  static Result<std::optional<DirLock>> try_acquire(const std::string& path, Mode mode);

  DirLock() = default;  ///< holds nothing

 private:
  explicit DirLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace particle
