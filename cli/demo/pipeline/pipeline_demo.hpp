// SPDX-License-Identifier: Apache-2.0
/// `particle demo --pipeline`: a video goes through containers of two nodes, each with an address of its
/// own, which pull their frames from one another.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "demo/facts.hpp"
#include "json.hpp"
#include "output.hpp"

namespace particle::cli::demo {

struct PipelineOptions {
  std::uint64_t seconds = 10;  ///< of synthetic video, a chunk each
};
inline constexpr std::uint64_t kMostPipelineSeconds = 60;

struct StageFacts {
  std::string name;
  std::uint64_t tasks = 0;
  double startup_ms = 0, transfer_ms = 0, processing_ms = 0;  ///< of all its tasks
};

struct PipelineFacts {
  PipelineOptions options;
  std::uint64_t frames_in = 0;   ///< of the clip
  std::uint64_t frames_out = 0;  ///< read back from what the pipeline wrote
  std::vector<StageFacts> stages;
  double pools_ms = 0, pipeline_ms = 0, first_output_ms = 0;
  std::chrono::nanoseconds total{0};
  [[nodiscard]] bool proven() const { return frames_in > 0 && frames_out == frames_in; }
};

/// Leaves nothing behind, whatever happens. The process must have a single thread.
/// Errors: not_found for particle-fleet or ffmpeg, with how to get it; permission_denied; interrupted; io
/// with the last words of what failed.
Result<PipelineFacts> run_pipeline(const PipelineOptions& options, const Watch& watch);

std::string to_text(const PipelineFacts& facts, const Style& style);
Json to_json(const PipelineFacts& facts);

}  // namespace particle::cli::demo
