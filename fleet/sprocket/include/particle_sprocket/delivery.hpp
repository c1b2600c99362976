// SPDX-License-Identifier: Apache-2.0
/// Delivery functions decide which items make a task of a stage together, and when: as soon as they
/// are there, without waiting for the rest of the stream. Pure state machines; any order of arrival.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>
#include <particle_sprocket/item.hpp>

namespace particle::sprocket {

/// The inputs of one task.
struct Delivery {
  std::vector<std::vector<Slice>>
      inputs{};             ///< one for each input port, in the order of its frames
  std::uint64_t first = 0;  ///< position of the first frame that is asked for
  std::uint64_t span = 0;
  std::uint64_t frames = 0;  ///< on each port, without the context
  std::uint64_t context =
      0;  ///< so many frames before the first one come along, to be looked at only
  std::uint64_t scene = 0;  ///< in-order scenes: its number
};

struct Deliveries {
  std::vector<Delivery> fired;
  std::vector<std::uint64_t> let_go;  ///< items that no later delivery will hold, each named once
};

class DeliveryFunction {
 public:
  virtual ~DeliveryFunction() = default;
  /// Errors: conflict when an item overlaps one that came before or does not fit its partners.
  virtual Result<Deliveries> on_item(std::size_t port, const Item& item) = 0;
  /// No more items will come. Errors: conflict naming what is missing or left over.
  virtual Result<Deliveries> on_end() = 0;
};

/// What a pipespec may name.
struct DeliveryKind {
  std::string_view name;     ///< "in_order_frames"; a pipespec may add "_delivery_func"
  std::string_view summary;  ///< one sentence
  std::size_t least_ports;
  std::size_t most_ports;
  std::vector<std::string_view> parameters;  ///< positive whole numbers
  std::unique_ptr<DeliveryFunction> (*make)(std::size_t ports, const nlohmann::json& parameters);
};
std::span<const DeliveryKind> delivery_kinds() noexcept;
/// "" is the default. Nothing for an unknown name.
const DeliveryKind* find_delivery(std::string_view name) noexcept;
/// Whatever is wrong with the parameters, one sentence each, the key first.
std::vector<std::pair<std::string, std::string>> check_delivery(const DeliveryKind& kind,
                                                                const nlohmann::json& parameters);

}  // namespace particle::sprocket
