// SPDX-License-Identifier: Apache-2.0
/// A file that always holds one whole document: the last that could be written.
#pragma once

#include <string>
#include <string_view>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::bench {

class ResultFile {
 public:
  /// Keeps the directory open, so that the file is written where `path` was when this was called,
  /// whatever is mounted over it later. Makes no file.
  /// Errors: not_found, permission_denied, invalid_argument (a directory).
  static Result<ResultFile> open(const std::string& path);

  /// Written beside and renamed over: a full disk leaves what was there before.
  /// Errors: exhausted (ENOSPC), io.
  [[nodiscard]] Result<void> save(std::string_view text) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  ResultFile(std::string path, std::string name, UniqueFd directory)
      : path_(std::move(path)), name_(std::move(name)), directory_(std::move(directory)) {}
  std::string path_;
  std::string name_;
  UniqueFd directory_;
};

}  // namespace particle::bench
