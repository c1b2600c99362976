// SPDX-License-Identifier: Apache-2.0
/// The pipeline specification: stages, and the streams between them. docs/pipelines.md describes it,
/// docs/json-schema/pipespec.json is its schema.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>
#include <particle_sprocket/delivery.hpp>
#include <particle_sprocket/item.hpp>
#include <particle_sprocket/stage.hpp>

namespace particle::sprocket {

/// One end of a stream: `blend:frames_0`, or `input_0:chunks`.
struct StreamEnd {
  std::string node;
  std::string port;
  DataType type = DataType::frames;
  [[nodiscard]] std::string text() const { return node + ":" + port; }
};

struct SpecStream {
  StreamEnd src;
  StreamEnd dst;
};

struct SpecNode {
  std::string name;
  std::string stage;  ///< as written: "filter", "exec:/usr/bin/detect"
  const StageKind* kind = nullptr;
  nlohmann::json parameters = nlohmann::json::object();
  const DeliveryKind* delivery = nullptr;
  nlohmann::json delivery_parameters = nlohmann::json::object();
  std::vector<std::string> inputs;   ///< its input ports, sorted
  std::vector<std::string> outputs;  ///< its output ports, sorted
  std::uint64_t depth = 0;           ///< streams between it and the farthest input
};

struct Pipespec {
  std::string name;             ///< where it was read from
  std::vector<SpecNode> nodes;  ///< upstream before downstream
  std::vector<SpecStream> streams;
  std::vector<std::uint64_t> inputs;   ///< the N of every input_N, ascending
  std::vector<std::uint64_t> outputs;  ///< the N of every output_N, ascending
  [[nodiscard]] const SpecNode* find(std::string_view node) const noexcept;
};

/// Reads and checks a pipespec. Errors: invalid_argument; `details` has a line for every fault, as
/// `blend.json:14: node "blend": delivery_function: ...`.
Result<Pipespec> parse_pipespec(std::string_view text, const std::string& name);
/// Errors: those of parse_pipespec; not_found, io.
Result<Pipespec> read_pipespec(const std::string& path);

}  // namespace particle::sprocket
