// SPDX-License-Identifier: Apache-2.0
/// Small files below a state directory: replaced by rename(2), so that a reader and a kill see the old
/// content or the new one. No fsync: the records describe namespaces, which no power loss survives
/// (docs/adr/0002-records-without-fsync.md).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle::cni {

/// Temporary names begin with this.
inline constexpr const char* kTemporaryPrefix = ".new-";

/// No record reaches this size.
inline constexpr std::size_t kLargestRecord = 1U << 20U;

/// Everything to the end. Errors: the errno, with the name; corrupt_state over `most` bytes.
Result<std::string> read_all(int fd, const std::string& name, std::size_t most = kLargestRecord);
/// Errors: the errno, with the name; part of the text may have been written.
Result<void> write_all(int fd, std::string_view text, const std::string& name);
/// nullopt when there is no such file. Errors: those of open(2) and read_all.
Result<std::optional<std::string>> read_text(const std::string& path,
                                             std::size_t most = kLargestRecord);
/// Makes the directories it needs. Errors: exhausted (ENOSPC, EDQUOT), permission_denied, io.
Result<void> replace_text(const std::string& path, const std::string& content);
/// A missing file is no error.
Result<void> remove_text(const std::string& path);
/// Entries but "." and "..", sorted; empty when there is no such directory.
Result<std::vector<std::string>> entries_of(const std::string& path);
/// Removes temporary files of cut-off writers, once they are a minute old.
void try_remove_temporaries(const std::string& directory);

}  // namespace particle::cni
