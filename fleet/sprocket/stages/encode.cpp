// SPDX-License-Identifier: Apache-2.0
#include "stages/common.hpp"

namespace particle::sprocket {
namespace {

std::vector<std::string> codec_options(const nlohmann::json& parameters, const std::string& codec) {
  const auto found = parameters.find("options");
  if (found != parameters.end()) return found->get<std::vector<std::string>>();
  if (codec == "libx264") return {"-preset", "veryfast", "-crf", "18"};
  return {};
}

Result<void> run(Work& work) {
  const WorkInput& input = work.inputs.front();
  const std::string codec = text_of(work.parameters, "codec", "libx264");
  const std::string container = text_of(work.parameters, "container", "matroska");
  auto arguments = ffmpeg_start();
  const auto raw = raw_input(*input.format, kFirstInput);
  arguments.insert(arguments.end(), raw.begin(), raw.end());
  const std::string skip = work.context == 0 ? ""
                                             : "trim=start_frame=" + std::to_string(work.context) +
                                                   ",setpts=PTS-STARTPTS";
  // The tee muxer does not ask the encoder for headers by itself.
  arguments.insert(arguments.end(),
                   {"-map", "0:v:0", "-vf", chain({aspect_filter(*input.format), skip}), "-pix_fmt",
                    text_of(work.parameters, "pixel_format", input.format->pixel_format),
                    "-threads", "1", "-flags", "+global_header+bitexact", "-c:v", codec});
  const auto options = codec_options(work.parameters, codec);
  arguments.insert(arguments.end(), options.begin(), options.end());
  auto out = run_ffmpeg(std::move(arguments), {input.data.get()}, container);
  if (!out) return fail(std::move(out.error()));
  if (auto ok = expect_frames(work, out->count.frames); !ok) return ok;
  return work.fill_all(std::move(out->data), out->count.frames, input.format);
}

}  // namespace

const StageKind& encode_stage() {
  static const StageKind kind{
      .name = "encode",
      .summary = "Compresses frames into a chunk.",
      .inputs = {DataType::frames, DataType::scenes},
      .least_inputs = 1,
      .most_inputs = 1,
      .outputs = {DataType::chunks},
      .parameters = {{"codec", ParameterKind::text, false, "ffmpeg's encoder (default: libx264)"},
                     {"options", ParameterKind::texts, false,
                      "of the encoder, as ffmpeg takes them (libx264: -preset veryfast -crf 18)"},
                     {"container", ParameterKind::text, false,
                      "of a chunk on its way (default: matroska); image2pipe for pictures"},
                     {"pixel_format", ParameterKind::text, false,
                      "what the frames are turned into (default: as they are)"}},
      .keeps_frames = always,
      .run = run};
  return kind;
}

}  // namespace particle::sprocket
