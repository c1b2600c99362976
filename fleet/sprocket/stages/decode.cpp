// SPDX-License-Identifier: Apache-2.0
#include "stages/common.hpp"

namespace particle::sprocket {
namespace {

/// Seeks to a key frame and lets the frames of the chunk through, by their own time stamps: no
/// rounding of seconds decides which frame is the first.
std::vector<std::string> arguments_for(const Source& source, bool seek) {
  std::vector<std::string> out = ffmpeg_start();
  out.emplace_back("-copyts");
  if (seek && source.seek > 0) {
    out.insert(out.end(), {"-noaccurate_seek", "-ss", std::to_string(source.seek)});
  }
  std::string trim = "trim=start_pts=" + std::to_string(source.start_pts);
  if (source.end_pts) trim += ":end_pts=" + std::to_string(*source.end_pts);
  out.insert(out.end(),
             {"-i", "file:" + source.path, "-map", "0:v:" + std::to_string(source.stream), "-vf",
              trim + ",setpts=PTS-STARTPTS"});
  return out;
}

Result<FfmpegOutput> decode_source(const Work& work, const Source& source,
                                   const std::string& pixel_format) {
  // Some containers seek badly: what is not found behind the seek is found from the beginning.
  for (const bool seek : {true, false}) {
    auto arguments = arguments_for(source, seek);
    arguments.insert(arguments.end(), {"-pix_fmt", pixel_format, "-frames:v",
                                       std::to_string(work.frames), "-c:v", "rawvideo"});
    auto out = run_ffmpeg(std::move(arguments), {}, "rawvideo");
    if (!out || out->count.frames == work.frames || !seek || source.seek <= 0) return out;
  }
  return fail(Error::of(Errc::protocol, "decode"));  // not reached
}

Result<FfmpegOutput> decode_data(const WorkInput& input, const std::string& pixel_format) {
  auto arguments = ffmpeg_start();
  arguments.insert(arguments.end(), {"-i", "pipe:" + std::to_string(kFirstInput), "-map", "0:v:0",
                                     "-pix_fmt", pixel_format, "-c:v", "rawvideo"});
  return run_ffmpeg(std::move(arguments), {input.data.get()}, "rawvideo");
}

Result<void> run(Work& work) {
  const WorkInput& input = work.inputs.front();
  if (!input.format) return fail(Error::of(Errc::protocol, "decode: chunks of unknown format"));
  const std::string pixel_format =
      text_of(work.parameters, "pixel_format", input.format->pixel_format);
  auto out = input.source ? decode_source(work, *input.source, pixel_format)
                          : decode_data(input, pixel_format);
  if (!out) return fail(std::move(out.error()));
  if (auto ok = expect_frames(work, out->count.frames); !ok) {
    ok.error().hint = "the video is damaged, or its container lies about its frames";
    return ok;
  }
  const auto format = format_of(out->count, *input.format, pixel_format);
  if (!format) return fail(format.error());
  return work.fill_all(std::move(out->data), out->count.frames, *format);
}

}  // namespace

const StageKind& decode_stage() {
  static const StageKind kind{
      .name = "decode",
      .summary = "Decodes a chunk into raw frames.",
      .inputs = {DataType::chunks},
      .least_inputs = 1,
      .most_inputs = 1,
      .outputs = {DataType::frames},
      .parameters = {{"pixel_format", ParameterKind::text, false,
                      "ffmpeg's name for what the frames are turned into (default: as they are)"}},
      .keeps_frames = always,
      .run = run};
  return kind;
}

}  // namespace particle::sprocket
