// SPDX-License-Identifier: Apache-2.0
#include "stages/common.hpp"

namespace particle::sprocket {
namespace {

bool keeps(const nlohmann::json& parameters) {
  return !parameters.value("drops_frames", false);
}

Result<void> run(Work& work) {
  const WorkInput& input = work.inputs.front();
  const std::string pixel_format =
      text_of(work.parameters, "pixel_format", input.format->pixel_format);
  auto arguments = ffmpeg_start();
  const auto raw = raw_input(*input.format, kFirstInput);
  arguments.insert(arguments.end(), raw.begin(), raw.end());
  const std::string skip =
      work.context == 0 ? "" : "trim=start_frame=" + std::to_string(work.context);
  arguments.insert(
      arguments.end(),
      {"-map", "0:v:0", "-vf",
       chain({aspect_filter(*input.format), text_of(work.parameters, "filter", "null"), skip}),
       "-pix_fmt", pixel_format, "-c:v", "rawvideo"});
  auto out = run_ffmpeg(std::move(arguments), {input.data.get()}, "rawvideo");
  if (!out) return fail(std::move(out.error()));
  if (keeps(work.parameters)) {
    if (auto ok = expect_frames(work, out->count.frames); !ok) {
      ok.error().hint = "a filter that drops frames needs the parameter \"drops_frames\": true";
      return ok;
    }
  }
  const auto format = format_of(out->count, *input.format, pixel_format);
  if (!format) return fail(format.error());
  return work.fill_all(std::move(out->data), out->count.frames, *format);
}

}  // namespace

const StageKind& filter_stage() {
  static const StageKind kind{
      .name = "filter",
      .summary = "Sends frames through any chain of ffmpeg's filters.",
      .inputs = {DataType::frames, DataType::scenes},
      .least_inputs = 1,
      .most_inputs = 1,
      .outputs = {DataType::frames},
      .parameters = {{"filter", ParameterKind::text, true, "the chain, as ffmpeg's -vf takes it"},
                     {"pixel_format", ParameterKind::text, false,
                      "of the frames that come out (default: as they went in)"},
                     {"drops_frames", ParameterKind::flag, false,
                      "whether fewer frames may come out than went in"}},
      .keeps_frames = keeps,
      .run = run};
  return kind;
}

}  // namespace particle::sprocket
