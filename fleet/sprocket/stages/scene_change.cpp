// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <sstream>

#include <unistd.h>

#include "stages/common.hpp"
#include "worker/memory_file.hpp"
#include "worker/program.hpp"

namespace particle::sprocket {
namespace {

constexpr double kThreshold = 0.3;
constexpr int kScores = 3;

/// How much each frame differs from the one before it, as ffmpeg's filter select sees it. It looks at
/// the two frames before: hence the context of two frames that the stage asks for.
Result<std::vector<double>> scores_of(const Work& work) {
  const WorkInput& input = work.inputs.front();
  auto file = open_memory_file("scores");
  if (!file) return fail(std::move(file.error()));
  auto arguments = ffmpeg_start();
  const auto raw = raw_input(*input.format, kFirstInput);
  arguments.insert(arguments.end(), raw.begin(), raw.end());
  arguments.insert(
      arguments.end(),
      {"-vf", "select=gte(scene\\,0),metadata=print:key=lavfi.scene_score:file=pipe\\\\:3",
       "-fps_mode", "passthrough", "-f", "null", "-"});
  ::lseek(input.data.get(), 0, SEEK_SET);
  const Program program{std::move(arguments),
                        {{kScores, file->get()}, {kFirstInput, input.data.get()}}};
  if (auto ok = run_program(program); !ok) return fail(std::move(ok.error()));
  const auto text = read_whole(file->get(), "scene scores");
  if (!text) return fail(text.error());
  std::vector<double> scores;
  std::istringstream lines(*text);
  constexpr std::string_view kKey = "lavfi.scene_score=";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kKey)) scores.push_back(std::strtod(line.c_str() + kKey.size(), nullptr));
  }
  if (scores.size() != work.context + work.frames) {
    return fail(Error::of(Errc::protocol,
                          "scene_change: " + std::to_string(scores.size()) + " scores for " +
                              std::to_string(work.context + work.frames) + " frames"));
  }
  return scores;
}

Result<void> run(Work& work) {
  const double threshold = work.parameters.value("threshold", kThreshold);
  const auto scores = scores_of(work);
  if (!scores) return fail(scores.error());
  const Format& format = *work.inputs.front().format;
  std::vector<WorkItem> items;
  for (std::uint64_t i = 0; i < work.frames; ++i) {
    const std::uint64_t position = work.first + i;
    const bool cut = position == 0 || (*scores)[work.context + i] > threshold;
    if (cut || items.empty()) {
      items.push_back({.first = position,
                       .starts_scene = cut,
                       .start = (work.context + i) * format.frame_bytes});
    }
    ++items.back().span;
    ++items.back().frames;
    items.back().bytes += format.frame_bytes;
  }
  if (auto ok = work.fill_all(std::move(work.inputs.front().data), work.frames, format); !ok) {
    return ok;
  }
  for (WorkOutput& output : work.outputs) output.items = items;
  return {};
}

}  // namespace

const StageKind& scene_change_stage() {
  static const StageKind kind{
      .name = "scene_change",
      .summary = "Cuts frames into scenes.",
      .inputs = {DataType::frames},
      .least_inputs = 1,
      .most_inputs = 1,
      .outputs = {DataType::scenes},
      .parameters = {{"threshold", ParameterKind::number, false,
                      "score of ffmpeg's filter select above which a scene begins (default: 0.3)"}},
      .keeps_frames = always,
      .run = run};
  return kind;
}

}  // namespace particle::sprocket
