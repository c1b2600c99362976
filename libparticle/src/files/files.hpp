// SPDX-License-Identifier: Apache-2.0
/// Files under the run directory: atomic replacement, tolerant removal. For libparticle and the plugin,
/// whose records live side by side; not installed.
///
/// Nothing here calls fsync(2). The records describe namespaces, which live in memory: after a
/// power loss there is nothing left to describe, and the boot id in the node directory's name tells
/// a later boot so. What must be survived is a kill at any point, and for that rename(2) suffices.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle {

Result<void> make_directories(const std::string& path);
/// No record reaches this size.
inline constexpr std::size_t kLargestRecord = std::size_t{1} << 20U;
inline constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

/// Everything to the end. Errors: the errno, with the name; corrupt_state over `most` bytes.
Result<std::string> read_all(int fd, const std::string& name, std::size_t most = kLargestRecord);
/// Errors: the errno, with the name; part of the text may have been written.
Result<void> write_all(int fd, std::string_view text, const std::string& name);
/// nullopt when there is no such file. Errors: those of open(2) and read_all.
Result<std::optional<std::string>> read_file(const std::string& path, std::size_t most = kNoLimit);
/// Errors: not_found without the directory; exhausted (ENOSPC, EDQUOT), permission_denied, io.
Result<void> write_file_atomically(const std::string& path, const std::string& content);
/// The same, and makes the directories that it needs.
Result<void> place_file(const std::string& path, const std::string& content);
/// The directory appears with the file in it, and so do missing directories above it.
/// Errors: already_exists when `path` is taken.
Result<void> make_directory_with_file(const std::string& path, const std::string& file,
                                      const std::string& content);
/// Removes plain files and empty directories in `path`, then `path`. A missing path is no error.
Result<void> remove_flat_directory(const std::string& path);
/// Removes it and everything below it. A missing path is no error.
Result<void> remove_whole(const std::string& path);
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
/// Removes those of cut-off writers, once they are a minute old.
void try_remove_temporaries(const std::string& directory);

}  // namespace particle
