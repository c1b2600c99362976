// SPDX-License-Identifier: Apache-2.0
#include "worker/ffmpeg.hpp"

#include <charconv>
#include <sstream>

#include <unistd.h>

#include "worker/memory_file.hpp"
#include "worker/program.hpp"

namespace particle::sprocket {
namespace {

constexpr int kCountFile = 3;

std::uint64_t number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// "0,   3,   3,   1,   13824, 0xfc36f565": stream, dts, pts, duration, size, checksum.
Result<std::uint64_t> size_in(const std::string& line) {
  std::size_t at = 0;
  for (int comma = 0; comma < 4; ++comma) {
    at = line.find(',', at);
    if (at == std::string::npos) {
      return fail(Error::of(Errc::protocol, "framecrc: \"" + line + "\""));
    }
    ++at;
  }
  return number(std::string_view(line).substr(at));
}

}  // namespace

Result<FrameCount> parse_framecrc(const std::string& text) {
  FrameCount out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kDimensions = "#dimensions 0: ";
    constexpr std::string_view kAspect = "#sar 0: ";
    if (line.starts_with(kDimensions)) {
      const std::string_view size = std::string_view(line).substr(kDimensions.size());
      out.width = number(size);
      out.height = number(size.substr(std::min(size.size(), size.find('x') + 1)));
    } else if (line.starts_with(kAspect)) {
      out.aspect = line.substr(kAspect.size());
      if (const auto slash = out.aspect.find('/'); slash != std::string::npos) {
        out.aspect[slash] = ':';
      }
    } else if (!line.empty() && line.front() != '#') {
      const auto bytes = size_in(line);
      if (!bytes) return fail(bytes.error());
      out.frame_bytes = out.frames == 0 || out.frame_bytes == *bytes ? *bytes : 0;
      ++out.frames;
    }
  }
  return out;
}

std::vector<std::string> ffmpeg_start() {
  // One thread: there are more chunks than processors, and a thread for each filter costs more.
  return {"ffmpeg",   "-nostdin", "-hide_banner",    "-v", "error", "-xerror",
          "-threads", "1",        "-filter_threads", "1"};
}

Result<FfmpegOutput> run_ffmpeg(std::vector<std::string> arguments, const std::vector<int>& inputs,
                                const std::string& container) {
  auto data = open_memory_file("output");
  auto count = open_memory_file("count");
  if (!data) return fail(std::move(data.error()));
  if (!count) return fail(std::move(count.error()));
  arguments.insert(arguments.end(), {"-fps_mode", "passthrough", "-f", "tee",
                                     "[f=" + container + "]pipe\\:1|[f=framecrc]pipe\\:3"});
  Program program{std::move(arguments), {{1, data->get()}, {kCountFile, count->get()}}};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (::lseek(inputs[i], 0, SEEK_SET) != 0) return fail(Error::from_errno(errno, "lseek"));
    program.descriptors.emplace_back(kFirstInput + static_cast<int>(i), inputs[i]);
  }
  if (auto ok = run_program(program); !ok) return fail(std::move(ok.error()));
  const auto text = read_whole(count->get(), "frame count");
  if (!text) return fail(text.error());
  auto counted = parse_framecrc(*text);
  if (!counted) return fail(std::move(counted.error()));
  return FfmpegOutput{std::move(*data), std::move(*counted)};
}

Result<Format> format_of(const FrameCount& count, const Format& before,
                         const std::string& pixel_format) {
  if (count.frames != 0 && count.frame_bytes == 0) {
    return fail(Error::of(Errc::protocol, "raw frames of different sizes"));
  }
  Format format = before;
  format.pixel_format = pixel_format;
  if (count.frames != 0) {
    format.width = count.width;
    format.height = count.height;
    format.aspect = count.aspect;
    format.frame_bytes = count.frame_bytes;
  }
  return format;
}

}  // namespace particle::sprocket
