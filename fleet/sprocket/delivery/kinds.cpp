// SPDX-License-Identifier: Apache-2.0
#include "delivery/kinds.hpp"

#include <algorithm>
#include <array>

namespace particle::sprocket {
namespace {

const std::array<DeliveryKind, 5>& table() {
  static const std::array<DeliveryKind, 5> kinds = {{
      {"default", "One task for each item.", 1, 1, {}, make_one_to_one},
      {"pair",
       "One task for the items of all inputs that hold the same frames.",
       2,
       16,
       {},
       make_pair},
      {"in_order_frames",
       "One task for every `frames` consecutive frames, in order, with `context` frames before "
       "them "
       "to look at.",
       1,
       1,
       {"frames", "context"},
       make_in_order_frames},
      {"in_order_scenes",
       "One task for every scene, in order, as soon as the next one begins.",
       1,
       1,
       {},
       make_in_order_scenes},
      {"split",
       "Several tasks for each item: cut at its markers, and after `frames` frames.",
       1,
       1,
       {"frames"},
       make_split},
  }};
  return kinds;
}

}  // namespace

std::span<const DeliveryKind> delivery_kinds() noexcept {
  return table();
}

const DeliveryKind* find_delivery(std::string_view name) noexcept {
  constexpr std::string_view kSuffix = "_delivery_func";
  if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
  if (name.empty()) name = "default";
  const auto found = std::find_if(table().begin(), table().end(),
                                  [&](const DeliveryKind& kind) { return kind.name == name; });
  return found == table().end() ? nullptr : &*found;
}

std::vector<std::pair<std::string, std::string>> check_delivery(const DeliveryKind& kind,
                                                                const nlohmann::json& parameters) {
  std::vector<std::pair<std::string, std::string>> faults;
  for (const auto& [key, value] : parameters.items()) {
    if (std::find(kind.parameters.begin(), kind.parameters.end(), key) == kind.parameters.end()) {
      faults.emplace_back(key,
                          "delivery function " + std::string(kind.name) + " has no such parameter");
    } else if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0) {
      faults.emplace_back(key, "must be a whole number above 0");
    }
  }
  return faults;
}

std::string frames_text(std::uint64_t first, std::uint64_t span) {
  if (span == 1) return "frame " + std::to_string(first);
  return "frames " + std::to_string(first) + " to " + std::to_string(first + span - 1);
}

Result<void> Timeline::insert(const Item& item) {
  const auto twice = [&](const Item& other) {
    return fail(Error::of(Errc::conflict, frames_text(item.first, item.span) + " came although " +
                                              frames_text(other.first, other.span) + " had come"));
  };
  if (item.span == 0) {
    return fail(Error::of(Errc::conflict,
                          "an item at frame " + std::to_string(item.first) + " covers no frame"));
  }
  const auto next = items_.lower_bound(item.first);
  if (next != items_.end() && next->first < item.end()) return twice(next->second);
  if (next != items_.begin() && std::prev(next)->second.end() > item.first) {
    return twice(std::prev(next)->second);
  }
  items_.emplace_hint(next, item.first, item);
  return {};
}

const Item* Timeline::at(std::uint64_t position) const {
  const auto found = items_.find(position);
  return found == items_.end() ? nullptr : &found->second;
}

}  // namespace particle::sprocket
