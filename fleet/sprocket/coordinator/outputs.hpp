// SPDX-License-Identifier: Apache-2.0
/// Makes a pipeline's outputs out of the chunks that its last stages wrote.
#pragma once

#include <string>
#include <vector>

#include <particle/result.hpp>

#include "coordinator/flow.hpp"

namespace particle::sprocket {

/// A directory that is removed with all that is in it. Beside the output, so that what is made there
/// gets its name by a rename.
class ScratchDirectory {
 public:
  /// Errors: not_found, permission_denied.
  static Result<ScratchDirectory> make(const std::string& parent);
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

struct Part {
  std::string path;
  std::uint64_t first = 0;
  std::uint64_t frames = 0;
  double seconds = 0;
};

enum class OutputKind : std::uint8_t { nothing, file, files, dash };
/// By its name. Pure.
OutputKind kind_of(const std::string& output);
/// `thumb-%03d.png` and 7 make thumb-007.png. Nothing when there is not exactly one %d. Pure.
std::optional<std::string> numbered(const std::string& pattern, std::uint64_t number);

/// In the order of their frames. Errors: conflict when frames are missing or there twice. Pure.
Result<std::vector<Part>> line_up(const Flow& flow, std::uint64_t output, double rate);

/// Writes the output; it appears when it is whole. `parts` lie in `scratch`. MPEG-DASH is DashOutput's.
/// Errors: exhausted (disk full), io, kernel with ffmpeg's words; protocol when frames were lost.
Result<void> write_output(const std::string& output, const std::vector<Part>& parts,
                          const std::string& scratch);

}  // namespace particle::sprocket
