// SPDX-License-Identifier: Apache-2.0
/// What raw frames look like: all that ffmpeg must be told to read them back as they were.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>

namespace particle::sprocket {

struct Format {
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  std::string pixel_format;  ///< ffmpeg's name: yuv420p
  std::string rate;          ///< frames per second as a fraction: 30000/1001
  std::string aspect;        ///< of a pixel: 1:1; 0:1 where unknown
  std::string color_range, color_space, color_transfer, color_primaries;  ///< empty where unknown
  std::uint64_t frame_bytes = 0;
  friend bool operator==(const Format&, const Format&) = default;
};

nlohmann::json to_json(const Format& format);
/// Errors: protocol.
Result<Format> format_from_json(const nlohmann::json& json);

/// ffmpeg's options to read such frames from `pipe:descriptor`.
std::vector<std::string> raw_input(const Format& format, int descriptor);
/// The filter that gives raw frames the shape of their pixels back: "setsar=1/1".
std::string aspect_filter(const Format& format);

}  // namespace particle::sprocket
