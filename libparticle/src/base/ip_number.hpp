// SPDX-License-Identifier: Apache-2.0
/// Addresses as 128-bit numbers: the arithmetic under ip.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include <particle/ip.hpp>

namespace particle::base {

__extension__ using Number = unsigned __int128;

inline Number to_number(const IpAddress& address) noexcept {
  Number number = 0;
  for (const std::byte byte : address.bytes())
    number = number << 8U | std::to_integer<unsigned>(byte);
  return number;
}

/// `number` must fit the family.
inline IpAddress from_number(Family family, Number number) {
  std::array<std::byte, 16> bytes{};
  const std::size_t size = family == Family::v4 ? 4 : 16;
  for (std::size_t i = size; i-- > 0; number >>= 8U)
    bytes[i] = static_cast<std::byte>(number & 0xffU);
  return *IpAddress::from_bytes(std::span(bytes).first(size));
}

constexpr Number highest(Family family) noexcept {
  return family == Family::v4 ? Number{0xffffffffU} : ~Number{0};
}

/// The host bits of a prefix of this length, all one.
constexpr Number host_mask(Family family, unsigned length) noexcept {
  if (length == 0) return highest(family);
  const unsigned bits = family == Family::v4 ? 32 : 128;
  return length >= bits ? Number{0} : (Number{1} << (bits - length)) - 1;
}

constexpr std::uint64_t saturate(Number number) noexcept {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  return number > kMost ? kMost : static_cast<std::uint64_t>(number);
}

}  // namespace particle::base
