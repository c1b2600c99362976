// SPDX-License-Identifier: Apache-2.0
/// The delivery functions, one file each, and what several of them need.
#pragma once

#include <map>

#include <particle_sprocket/delivery.hpp>

namespace particle::sprocket {

std::unique_ptr<DeliveryFunction> make_one_to_one(std::size_t ports, const nlohmann::json&);
std::unique_ptr<DeliveryFunction> make_pair(std::size_t ports, const nlohmann::json&);
std::unique_ptr<DeliveryFunction> make_in_order_frames(std::size_t ports, const nlohmann::json&);
std::unique_ptr<DeliveryFunction> make_in_order_scenes(std::size_t ports, const nlohmann::json&);
std::unique_ptr<DeliveryFunction> make_split(std::size_t ports, const nlohmann::json&);

/// "frames 25 to 49"
std::string frames_text(std::uint64_t first, std::uint64_t span);

/// Items by position, each position at most once.
class Timeline {
 public:
  /// Errors: conflict when positions come twice.
  Result<void> insert(const Item& item);
  /// The item that starts at `position`, if it has come.
  [[nodiscard]] const Item* at(std::uint64_t position) const;
  [[nodiscard]] const std::map<std::uint64_t, Item>& items() const noexcept { return items_; }

 private:
  std::map<std::uint64_t, Item> items_;
};

}  // namespace particle::sprocket
