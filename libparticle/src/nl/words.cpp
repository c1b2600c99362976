// SPDX-License-Identifier: Apache-2.0
#include "nl/words.hpp"

#include <algorithm>

#include <particle/ip.hpp>
#include <particle/types.hpp>

namespace particle::nl {

Attributes::Attributes(Bytes bytes) {
  AttributeReader reader(bytes);
  for (;;) {
    const auto attribute = reader.next();
    if (!attribute || !*attribute) return;
    attributes_.push_back(**attribute);
  }
}

const AttributeView* Attributes::find(std::uint16_t type) const noexcept {
  const auto found = std::ranges::find(attributes_, type, &AttributeView::type);
  return found == attributes_.end() ? nullptr : &*found;
}

Attributes Attributes::nested(std::uint16_t type) const {
  const AttributeView* const view = find(type);
  return Attributes(view == nullptr ? Bytes{} : view->payload);
}

std::string Attributes::number(std::string_view word, std::uint16_t type) const {
  const AttributeView* const view = find(type);
  const auto value = view == nullptr ? std::nullopt : view->as<std::uint32_t>();
  return value ? phrase(word, std::to_string(*value)) : std::string{};
}

std::string Attributes::address(std::string_view word, std::uint16_t type) const {
  const AttributeView* const view = find(type);
  if (view == nullptr) return {};
  const auto address = IpAddress::from_bytes(view->payload);
  return address ? phrase(word, address->to_string()) : std::string{};
}

std::string Attributes::mac(std::string_view word, std::uint16_t type) const {
  const AttributeView* const view = find(type);
  const auto value = view == nullptr ? std::nullopt : view->as<Mac>();
  return value ? phrase(word, value->to_string()) : std::string{};
}

std::string Attributes::text(std::string_view word, std::uint16_t type) const {
  const AttributeView* const view = find(type);
  return view == nullptr ? std::string{} : phrase(word, view->text());
}

std::string phrase(std::string_view word, std::string_view value) {
  std::string text;
  if (!word.empty()) text.append(" ").append(word);
  return text.append(" ").append(value);
}

}  // namespace particle::nl
