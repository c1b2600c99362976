// SPDX-License-Identifier: Apache-2.0
/// Helpers that turn decoded attributes into words for Message::describe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nl/wire.hpp"

namespace particle::nl {

/// The attributes of one level, for look-up by type. What is malformed ends the list: a description
/// is for people and never fails.
class Attributes {
 public:
  explicit Attributes(Bytes bytes);
  [[nodiscard]] const AttributeView* find(std::uint16_t type) const noexcept;
  /// The nested attributes of `type`; none when it is absent.
  [[nodiscard]] Attributes nested(std::uint16_t type) const;
  /// " WORD VALUE", or nothing when the attribute is absent.
  [[nodiscard]] std::string number(std::string_view word, std::uint16_t type) const;
  [[nodiscard]] std::string address(std::string_view word, std::uint16_t type) const;
  [[nodiscard]] std::string mac(std::string_view word, std::uint16_t type) const;
  [[nodiscard]] std::string text(std::string_view word, std::uint16_t type) const;

 private:
  std::vector<AttributeView> attributes_;
};

/// " WORD VALUE", or " VALUE" without a word.
std::string phrase(std::string_view word, std::string_view value);

/// What follows the request's name, with a leading space: one function per kind of request.
std::string describe_link(Bytes payload);
std::string describe_address(Bytes payload);
std::string describe_route(Bytes payload);
std::string describe_neighbour(Bytes payload);

}  // namespace particle::nl
