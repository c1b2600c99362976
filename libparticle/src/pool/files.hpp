// SPDX-License-Identifier: Apache-2.0
/// Files under the run directory: atomic replacement, locks on directories, tolerant removal.
///
/// Nothing here calls fsync(2). The records describe namespaces, which live in memory: after a
/// power loss there is nothing left to describe, and the boot id in the node directory's name tells
/// a later boot so. What must be survived is a kill at any point, and for that rename(2) suffices.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle {

Result<void> make_directories(const std::string& path);
/// nullopt when there is no such file.
Result<std::optional<std::string>> read_file(const std::string& path);
Result<void> write_file_atomically(const std::string& path, const std::string& content);
/// Errors: already_exists when `path` is taken.
Result<void> make_directory_with_file(const std::string& path, const std::string& file,
                                      const std::string& content);
/// Removes plain files and empty directories in `path`, then `path`. A missing path is no error.
Result<void> remove_flat_directory(const std::string& path);
Result<void> remove_file(const std::string& path);
Result<void> rename_file(const std::string& from, const std::string& to);
/// A link that is there already with this target is no error. Errors: already_exists.
Result<void> make_symlink(const std::string& target, const std::string& path);
std::optional<std::string> read_symlink(const std::string& path);
bool file_exists(const std::string& path);
/// Entries but "." and "..", sorted; empty when there is no such directory.
Result<std::vector<std::string>> list_directory(const std::string& path);
/// Temporary names made by the functions above begin with this.
inline constexpr const char* kTemporaryPrefix = ".new-";

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
