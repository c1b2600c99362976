// SPDX-License-Identifier: Apache-2.0
#include "worker/format.hpp"

#include <algorithm>

namespace particle::sprocket {

nlohmann::json to_json(const Format& format) {
  return {{"width", format.width},
          {"height", format.height},
          {"pixel_format", format.pixel_format},
          {"rate", format.rate},
          {"aspect", format.aspect},
          {"color_range", format.color_range},
          {"color_space", format.color_space},
          {"color_transfer", format.color_transfer},
          {"color_primaries", format.color_primaries},
          {"frame_bytes", format.frame_bytes}};
}

Result<Format> format_from_json(const nlohmann::json& json) try {
  Format format;
  json.at("width").get_to(format.width);
  json.at("height").get_to(format.height);
  json.at("pixel_format").get_to(format.pixel_format);
  json.at("rate").get_to(format.rate);
  json.at("aspect").get_to(format.aspect);
  json.at("color_range").get_to(format.color_range);
  json.at("color_space").get_to(format.color_space);
  json.at("color_transfer").get_to(format.color_transfer);
  json.at("color_primaries").get_to(format.color_primaries);
  json.at("frame_bytes").get_to(format.frame_bytes);
  return format;
} catch (const nlohmann::json::exception& error) {
  return fail(Error::of(Errc::protocol, std::string("format of frames: ") + error.what()));
}

std::vector<std::string> raw_input(const Format& format, int descriptor) {
  std::vector<std::string> out{"-f",
                               "rawvideo",
                               "-pixel_format",
                               format.pixel_format,
                               "-video_size",
                               std::to_string(format.width) + "x" + std::to_string(format.height),
                               "-framerate",
                               format.rate};
  const auto tag = [&](const char* option, const std::string& value) {
    if (!value.empty()) out.insert(out.end(), {option, value});
  };
  tag("-color_range", format.color_range);
  tag("-colorspace", format.color_space);
  tag("-color_trc", format.color_transfer);
  tag("-color_primaries", format.color_primaries);
  out.insert(out.end(), {"-i", "pipe:" + std::to_string(descriptor)});
  return out;
}

std::string aspect_filter(const Format& format) {
  std::string ratio = format.aspect.empty() ? "0:1" : format.aspect;
  std::replace(ratio.begin(), ratio.end(), ':', '/');
  return "setsar=" + ratio;
}

}  // namespace particle::sprocket
