// SPDX-License-Identifier: Apache-2.0
/// MPEG-DASH while it is made: each chunk becomes a segment as soon as those before it are there, and the manifest is
/// written anew.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <particle/result.hpp>

#include "coordinator/outputs.hpp"

namespace particle::sprocket {

/// One manifest with its segments. Threads: one at a time; it has one of its own, which calls ffmpeg.
class DashOutput {
 public:
  /// `output` names the manifest, `scratch` is a directory on the same file system.
  DashOutput(std::string output, std::string scratch);
  DashOutput(const DashOutput&) = delete;
  DashOutput& operator=(const DashOutput&) = delete;
  /// Removes everything unless finish() succeeded.
  ~DashOutput();

  /// The next part. Returns at once.
  void add(Part part);
  /// Waits for what was added, and says in the manifest that nothing more comes. Errors: those of ffmpeg, exhausted
  /// (disk full), io; protocol when frames were lost.
  Result<void> finish();

 private:
  void serve();
  Result<void> make_segment(const Part& part);
  Result<void> place(const std::string& from, const std::string& name);
  Result<void> write_manifest(bool last);
  void stop();

  std::string output_, scratch_, stem_;
  std::vector<std::string> made_;  ///< files beside the output
  std::string manifest_;           ///< ffmpeg's, of the first part
  std::string since_;              ///< when that came
  std::uint64_t timescale_ = 0;
  std::vector<std::uint64_t> lengths_;  ///< of the segments
  std::uint64_t frames_ = 0;
  bool whole_ = false;

  std::mutex lock_;  ///< guards what follows
  std::condition_variable changed_;
  std::deque<Part> waiting_;
  bool no_more_ = false;
  bool give_up_ = false;
  Result<void> verdict_;

  std::thread thread_;
};

/// Moves a segment of fragmented MP4 to `ticks` after where it begins: its boxes tfdt and sidx. False when it has no
/// tfdt. Pure.
bool shift_segment(std::string& segment, std::uint64_t ticks);

}  // namespace particle::sprocket
