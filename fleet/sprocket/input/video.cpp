// SPDX-License-Identifier: Apache-2.0
#include "input/video.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "worker/memory_file.hpp"
#include "worker/program.hpp"

namespace particle::sprocket {
namespace {

using Json = nlohmann::json;

Error unfit(const std::string& path, const std::string& why, const std::string& hint = {}) {
  return Error::of(Errc::invalid_argument, "video " + path + ": " + why, hint);
}

/// "30000/1001"; 0 where it is none.
double fraction(const std::string& text) {
  char* end = nullptr;
  const double above = std::strtod(text.c_str(), &end);
  const double below = *end == '/' || *end == ':' ? std::strtod(end + 1, nullptr) : 1;
  return below == 0 ? 0 : above / below;
}

std::string known(const Json& stream, const char* key) {
  const std::string value = stream.value(key, "");
  return value == "unknown" ? "" : value;
}

/// Frames are numbered, not stamped, on their way: a variable rate would be lost without a word.
Result<void> check_rate(const Video& video) {
  for (std::size_t i = 0; i < video.stamps.size(); ++i) {
    const double seconds = static_cast<double>(video.stamps[i] - video.stamps.front()) * video.tick;
    if (std::abs(seconds * video.rate - static_cast<double>(i)) <= 0.5) continue;
    return fail(unfit(video.path,
                      "frame " + std::to_string(i) + " is not where " + video.format.rate +
                          " frames per second would have it: its rate is variable",
                      "convert it first: ffmpeg -i IN -fps_mode cfr OUT"));
  }
  return {};
}

Result<void> take_packets(const Json& packets, Video& video) {
  for (const Json& packet : packets) {
    const std::string flags = packet.value("flags", "");
    if (flags.find('D') != std::string::npos) continue;  // not shown: before an edit's beginning
    if (!packet.contains("pts")) {
      return fail(unfit(video.path, "its container has no time stamps for every frame",
                        "put it into another one: ffmpeg -fflags +genpts -i IN -c copy OUT.mkv"));
    }
    const std::int64_t stamp = packet["pts"];
    video.stamps.push_back(stamp);
    if (flags.starts_with("K")) video.keys.push_back(stamp);
  }
  std::sort(video.stamps.begin(), video.stamps.end());
  std::sort(video.keys.begin(), video.keys.end());
  if (std::adjacent_find(video.stamps.begin(), video.stamps.end()) != video.stamps.end()) {
    return fail(unfit(video.path, "two frames have the same time stamp"));
  }
  return {};
}

Result<std::string> probe(const std::string& path, std::vector<std::string> options) {
  auto answer = open_memory_file("probe");
  if (!answer) return fail(std::move(answer.error()));
  std::vector<std::string> arguments{"ffprobe", "-v", "error", "-select_streams", "v:0"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.push_back("file:" + path);
  if (auto ok = run_program({std::move(arguments), {{1, answer->get()}}}); !ok) {
    Error error = std::move(ok.error());
    if (error.kind() == Errc::not_found) {
      error.hint = "install ffmpeg";
      return fail(std::move(error));
    }
    Error why = unfit(path, "ffprobe cannot read it");
    why.kernel_message = error.kernel_message;
    return fail(std::move(why));
  }
  return read_whole(answer->get(), "ffprobe's answer");
}

}  // namespace

Result<Video> parse_probe(std::string_view text, const std::string& path) try {
  const Json json = Json::parse(text);
  if (!json.contains("streams") || json["streams"].empty()) {
    return fail(unfit(path, "it has no video stream"));
  }
  const Json& stream = json["streams"].front();
  Video video;
  video.path = path;
  video.format.width = stream.value("width", std::uint64_t{0});
  video.format.height = stream.value("height", std::uint64_t{0});
  video.format.pixel_format = known(stream, "pix_fmt");
  video.format.aspect = stream.value("sample_aspect_ratio", "0:1");
  video.format.color_range = known(stream, "color_range");
  video.format.color_space = known(stream, "color_space");
  video.format.color_transfer = known(stream, "color_transfer");
  video.format.color_primaries = known(stream, "color_primaries");
  video.tick = fraction(stream.value("time_base", "0/0"));
  video.start =
      std::strtod(json.value("format", Json::object()).value("start_time", "0").c_str(), nullptr);
  if (auto ok = take_packets(json.value("packets", Json::array()), video); !ok) {
    return fail(std::move(ok.error()));
  }
  if (video.stamps.empty()) return fail(unfit(path, "its video stream has no frames"));
  if (video.format.pixel_format.empty() || video.format.width == 0 || video.tick <= 0) {
    return fail(unfit(path, "its size, pixel format or time base is unknown"));
  }
  // The nominal rate is exact where it is right; the mean is rounded by some containers.
  Result<void> right = fail(unfit(path, "its rate is unknown"));
  for (const char* key : {"r_frame_rate", "avg_frame_rate"}) {
    video.format.rate = stream.value(key, "0/0");
    video.rate = fraction(video.format.rate);
    if (video.rate <= 0) continue;
    right = check_rate(video);
    if (right) return video;
  }
  return fail(std::move(right.error()));
} catch (const Json::exception& error) {
  return fail(unfit(path, std::string("ffprobe's answer: ") + error.what()));
}

Result<Video> probe_video(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail(Error::from_errno(errno, "video " + path));
  if (S_ISREG(status.st_mode) && status.st_size == 0) return fail(unfit(path, "it is empty"));
  const auto text =
      probe(path, {"-show_entries",
                   "stream=width,height,pix_fmt,avg_frame_rate,r_frame_rate,time_base,"
                   "sample_aspect_ratio,color_range,color_space,color_transfer,color_primaries:"
                   "format=start_time:packet=pts,flags",
                   "-of", "json=compact=1"});
  if (!text) return fail(text.error());
  return parse_probe(*text, path);
}

Result<std::uint64_t> count_frames(const std::string& path) {
  const auto text =
      probe(path, {"-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"});
  if (!text) return fail(text.error());
  return std::strtoull(text->c_str(), nullptr, 10);
}

std::vector<Chunk> cut(const Video& video, std::chrono::milliseconds length) {
  const double wanted = std::round(std::chrono::duration<double>(length).count() * video.rate);
  const std::uint64_t each = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::vector<Chunk> chunks;
  for (std::uint64_t first = 0; first < video.stamps.size(); first += each) {
    Chunk& chunk = chunks.emplace_back();
    chunk.first = first;
    chunk.frames = std::min<std::uint64_t>(each, video.stamps.size() - first);
    chunk.source.path = video.path;
    chunk.source.start_pts = video.stamps[first];
    const std::uint64_t end = first + chunk.frames;
    if (end < video.stamps.size()) chunk.source.end_pts = video.stamps[end];
    const auto key = std::upper_bound(video.keys.begin(), video.keys.end(), chunk.source.start_pts);
    if (key == video.keys.begin()) continue;
    // Half a frame later, so that no rounding lands before the key frame.
    chunk.source.seek = std::max(
        0.0, static_cast<double>(*std::prev(key)) * video.tick - video.start + 0.5 / video.rate);
    if (std::prev(key) == video.keys.begin()) chunk.source.seek = 0;
  }
  return chunks;
}

}  // namespace particle::sprocket
