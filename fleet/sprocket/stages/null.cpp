// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <thread>

#include "stages/common.hpp"
#include "worker/memory_file.hpp"

namespace particle::sprocket {
namespace {

/// Of a chunk that is a part of a file nothing is handed on but its count of frames.
Result<void> run(Work& work) {
  WorkInput& input = work.inputs.front();
  std::this_thread::sleep_for(std::chrono::duration<double>(work.parameters.value("seconds", 0.0)));
  if (!input.data.valid()) {
    auto nothing = open_memory_file("nothing");
    if (!nothing) return fail(std::move(nothing.error()));
    input.data = std::move(*nothing);
  }
  if (auto ok = work.fill_all(std::move(input.data), work.frames, input.format); !ok) return ok;
  const std::uint64_t skip = input.format ? work.context * input.format->frame_bytes : 0;
  for (WorkOutput& output : work.outputs) {
    output.items = {{.first = work.first,
                     .span = work.span,
                     .frames = work.frames,
                     .starts_scene = work.first == 0,
                     .start = skip,
                     .bytes = input.bytes - skip}};
  }
  return {};
}

}  // namespace

const StageKind& null_stage() {
  static const StageKind kind{
      .name = "null",
      .summary = "Hands on what it gets: for measuring what a pipeline costs without any work.",
      .inputs = {DataType::chunks, DataType::frames, DataType::scenes},
      .least_inputs = 1,
      .most_inputs = 1,
      .outputs = {DataType::chunks, DataType::frames, DataType::scenes},
      .parameters = {{"seconds", ParameterKind::number, false, "how long it sleeps (default: 0)"}},
      .keeps_frames = always,
      .run = run};
  return kind;
}

}  // namespace particle::sprocket
