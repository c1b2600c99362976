// SPDX-License-Identifier: Apache-2.0
/// What is in a video file, and how it is cut into chunks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

#include "worker/work.hpp"

namespace particle::sprocket {

struct Video {
  std::string path;
  Format format;
  double rate = 0;                   ///< frames per second
  double tick = 0;                   ///< seconds of a time stamp's unit
  double start = 0;                  ///< seconds: the container's
  std::vector<std::int64_t> stamps;  ///< of the frames, ascending
  std::vector<std::int64_t> keys;    ///< of the key frames, ascending
};

/// Reads what ffprobe prints. Pure. Errors: invalid_argument for what cannot be cut: no video stream, no
/// frames, no time stamps, a variable rate.
Result<Video> parse_probe(std::string_view text, const std::string& path);
/// Errors: those of parse_probe; not_found; invalid_argument with ffprobe's words for what is no video.
Result<Video> probe_video(const std::string& path);
/// How many frames ffprobe counts in a file's first video stream.
Result<std::uint64_t> count_frames(const std::string& path);

struct Chunk {
  std::uint64_t first = 0;
  std::uint64_t frames = 0;
  Source source;
};
/// Pure: chunks of `length`, at least a frame each; the last one may be shorter.
std::vector<Chunk> cut(const Video& video, std::chrono::milliseconds length);

}  // namespace particle::sprocket
