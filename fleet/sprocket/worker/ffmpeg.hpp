// SPDX-License-Identifier: Apache-2.0
/// ffmpeg on files in memory, and what it says of the frames that went through it.
#pragma once

#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "worker/work.hpp"

namespace particle::sprocket {

/// What the framecrc muxer counted.
struct FrameCount {
  std::uint64_t frames = 0;
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  std::string aspect;
  std::uint64_t frame_bytes = 0;  ///< 0 where they differ
};
/// Pure. Errors: protocol.
Result<FrameCount> parse_framecrc(const std::string& text);

/// The options before the inputs.
std::vector<std::string> ffmpeg_start();

struct FfmpegOutput {
  UniqueFd data;
  FrameCount count;
};

/// Runs ffmpeg; `arguments` end with the options of the output, to which the muxer `container` is
/// added. `inputs` are found at descriptors 4, 5 and so on, from their beginning.
/// Errors: those of run_program.
Result<FfmpegOutput> run_ffmpeg(std::vector<std::string> arguments, const std::vector<int>& inputs,
                                const std::string& container);
constexpr int kFirstInput = 4;

/// `frames` of what run_ffmpeg gave as raw frames of `pixel_format`. Errors: protocol.
Result<Format> format_of(const FrameCount& count, const Format& before,
                         const std::string& pixel_format);

}  // namespace particle::sprocket
