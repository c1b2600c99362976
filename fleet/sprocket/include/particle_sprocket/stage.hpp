// SPDX-License-Identifier: Apache-2.0
/// A stage: what a worker does to the frames it is given. A stage of one's own is a file
/// fleet/sprocket/stages/NAME.cpp with `const StageKind& NAME_stage()`, or any executable that keeps
/// the line protocol of docs/pipelines.md (`"stage": "exec:/path"`).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>
#include <particle_sprocket/item.hpp>

namespace particle::sprocket {

enum class ParameterKind : std::uint8_t { text, number, whole, flag, texts };

struct Parameter {
  std::string_view name;
  ParameterKind kind;
  bool required;
  std::string_view summary;
};

class Work;  // fleet/sprocket/worker/work.hpp

struct StageKind {
  std::string_view name;
  std::string_view summary;
  std::vector<DataType> inputs;  ///< types it takes
  std::size_t least_inputs;
  std::size_t most_inputs;
  std::vector<DataType> outputs;  ///< types it gives
  std::vector<Parameter> parameters;
  bool any_parameters = false;  ///< takes others, too
  /// Whether each output holds as many frames as each input: then this is checked at every hand-over.
  bool (*keeps_frames)(const nlohmann::json& parameters);
  /// The work itself, in the worker.
  Result<void> (*run)(Work& work);
};

/// Every stage but `exec:`, by name.
std::span<const StageKind* const> stage_kinds() noexcept;
/// `exec:/path` is the stage exec. Nothing for an unknown one.
const StageKind* find_stage(std::string_view stage) noexcept;
/// Whatever is wrong with the parameters: the key, and one sentence.
std::vector<std::pair<std::string, std::string>> check_parameters(const StageKind& kind,
                                                                  const nlohmann::json& parameters);

}  // namespace particle::sprocket
