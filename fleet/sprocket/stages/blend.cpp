// SPDX-License-Identifier: Apache-2.0
#include "stages/common.hpp"

namespace particle::sprocket {
namespace {

Result<void> run(Work& work) {
  auto arguments = ffmpeg_start();
  std::string graph;
  std::string labels;
  std::vector<int> data;
  for (std::size_t i = 0; i < work.inputs.size(); ++i) {
    const Format& format = *work.inputs[i].format;
    const auto raw = raw_input(format, kFirstInput + static_cast<int>(i));
    arguments.insert(arguments.end(), raw.begin(), raw.end());
    const std::string number = std::to_string(i);
    graph += "[" + number + ":v]" + aspect_filter(format) + "[i" + number + "];";
    labels += "[i" + number + "]";
    data.push_back(work.inputs[i].data.get());
  }
  const std::string filter = text_of(
      work.parameters, "filter", "blend=all_mode=" + text_of(work.parameters, "mode", "average"));
  const Format& before = *work.inputs.front().format;
  arguments.insert(arguments.end(), {"-filter_complex", graph + labels + filter + "[out]", "-map",
                                     "[out]", "-pix_fmt", before.pixel_format, "-c:v", "rawvideo"});
  auto out = run_ffmpeg(std::move(arguments), data, "rawvideo");
  if (!out) return fail(std::move(out.error()));
  if (auto ok = expect_frames(work, out->count.frames); !ok) return ok;
  const auto format = format_of(out->count, before, before.pixel_format);
  if (!format) return fail(format.error());
  return work.fill_all(std::move(out->data), out->count.frames, *format);
}

}  // namespace

const StageKind& blend_stage() {
  static const StageKind kind{.name = "blend",
                              .summary = "Lays the frames of two videos over each other.",
                              .inputs = {DataType::frames},
                              .least_inputs = 2,
                              .most_inputs = 2,
                              .outputs = {DataType::frames},
                              .parameters = {{"mode", ParameterKind::text, false,
                                              "of ffmpeg's filter blend (default: average)"},
                                             {"filter", ParameterKind::text, false,
                                              "another filter of two inputs, as \"overlay=8:8\""}},
                              .keeps_frames = always,
                              .run = run};
  return kind;
}

}  // namespace particle::sprocket
