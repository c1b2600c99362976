// SPDX-License-Identifier: Apache-2.0
/// What travels on the streams of a pipeline. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle::sprocket {

/// The type of a stream: the identifier of its ends up to the first `_`.
enum class DataType : std::uint8_t {
  chunks,  ///< consecutive frames, compressed
  frames,  ///< consecutive frames, raw
  scenes,  ///< frames of one scene, raw; a part of the scene where a worker saw no more of it
};
std::string_view to_string(DataType type) noexcept;
/// `frames_0` is of type frames. Nothing for another prefix.
std::optional<DataType> type_of(std::string_view identifier) noexcept;

/// One hand-over. Positions count the frames of the pipeline's input from 0, so that they are a
/// lineage: items of two streams that come from the same frames have the same position.
struct Item {
  std::uint64_t id = 0;  ///< unique in a run
  DataType type = DataType::frames;
  std::uint64_t first = 0;    ///< position of its first frame
  std::uint64_t span = 0;     ///< positions it covers
  std::uint64_t frames = 0;   ///< frames it holds: fewer than `span` after a filter that drops some
  bool starts_scene = false;  ///< scenes: its first frame differs from the one before
  std::vector<std::uint64_t> cuts{};  ///< positions at which `split` shall cut it, ascending
  [[nodiscard]] std::uint64_t end() const noexcept { return first + span; }
};

/// Consecutive frames of an item; a chunk is only taken whole.
struct Slice {
  std::uint64_t item = 0;    ///< its id
  std::uint64_t offset = 0;  ///< frames before it
  std::uint64_t frames = 0;
  friend bool operator==(const Slice&, const Slice&) = default;
};

}  // namespace particle::sprocket
