// SPDX-License-Identifier: Apache-2.0
/// What a stage sees of its task: inputs that are there already, and outputs to be filled.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>
#include <particle_sprocket/item.hpp>

#include "worker/format.hpp"

namespace particle::sprocket {

/// A chunk of the pipeline's input: frames of a file that the worker sees.
struct Source {
  std::string path;            ///< empty: no file, frames without content (for measuring)
  std::uint64_t stream = 0;    ///< the how-manieth video stream
  double seek = 0;             ///< seconds: where a key frame at or before the first frame is
  std::int64_t start_pts = 0;  ///< of the first frame, in the stream's time base
  std::optional<std::int64_t> end_pts;  ///< of the first frame that is not the chunk's
};

struct WorkInput {
  std::string port;
  DataType type = DataType::frames;
  std::optional<Source> source;  ///< then there is no data
  UniqueFd data;                 ///< a file in memory: the context's frames and then the task's
  std::uint64_t bytes = 0;
  std::optional<Format> format;  ///< of raw frames, or what a source decodes to
};

/// A part of an output that travels on as an item.
struct WorkItem {
  std::uint64_t first = 0;
  std::uint64_t span = 0;
  std::uint64_t frames = 0;
  bool starts_scene = false;
  std::vector<std::uint64_t> cuts{};
  std::uint64_t start = 0;  ///< bytes of the output before it
  std::uint64_t bytes = 0;
};

struct WorkOutput {
  std::string port;
  DataType type = DataType::frames;
  UniqueFd data;
  std::optional<Format> format;  ///< of raw frames
  std::vector<WorkItem> items;   ///< unset: one item with everything
  std::uint64_t frames = 0;      ///< of that one item
};

class Work {
 public:
  nlohmann::json parameters;
  std::string stage;  ///< "exec:/usr/bin/detect"
  std::uint64_t first = 0;
  std::uint64_t span = 0;
  std::uint64_t frames = 0;
  std::uint64_t context = 0;
  std::uint64_t scene = 0;
  std::vector<WorkInput> inputs;
  std::vector<WorkOutput> outputs;

  /// A copy of the frames of an output is what another one gets, too.
  Result<void> fill_all(UniqueFd data, std::uint64_t frame_count,
                        const std::optional<Format>& format);
};

}  // namespace particle::sprocket
