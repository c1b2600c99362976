// SPDX-License-Identifier: Apache-2.0
/// Small value types that keep units and identities apart at compile time.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <particle/result.hpp>

namespace particle {

/// A device's index inside one network namespace. 0 means "none".
struct IfIndex {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(IfIndex, IfIndex) = default;
  [[nodiscard]] constexpr bool valid() const noexcept { return value != 0; }
};

/// A VXLAN network identifier, 1..2^24-1. Default-constructed it is 0 and not valid.
class Vni {
 public:
  static constexpr std::uint32_t kMax = (1U << 24) - 1;
  constexpr Vni() = default;
  /// Errors: invalid_argument outside 1..kMax.
  static Result<Vni> from(std::uint64_t value);
  /// Decimal only. Errors: invalid_argument.
  static Result<Vni> parse(std::string_view text);
  [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }
  friend constexpr auto operator<=>(Vni, Vni) = default;

 private:
  constexpr explicit Vni(std::uint32_t value) : value_(value) {}
  std::uint32_t value_ = 0;
};

/// The largest IP packet a device carries, in bytes (no Ethernet header).
class Mtu {
 public:
  static constexpr std::uint32_t kMin = 68;        ///< RFC 791: every IPv4 module forwards 68 bytes
  static constexpr std::uint32_t kMinIpv6 = 1280;  ///< RFC 8200 section 5
  static constexpr std::uint32_t kMax = 65535;
  constexpr Mtu() = default;
  /// Errors: invalid_argument outside kMin..kMax.
  static Result<Mtu> from(std::uint64_t value);
  static Result<Mtu> parse(std::string_view text);
  [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }
  friend constexpr auto operator<=>(Mtu, Mtu) = default;

 private:
  constexpr explicit Mtu(std::uint32_t value) : value_(value) {}
  std::uint32_t value_ = 0;
};

/// An Ethernet address.
struct Mac {
  std::array<std::uint8_t, 6> bytes{};
  friend constexpr auto operator<=>(const Mac&, const Mac&) = default;

  /// Six hexadecimal pairs separated by ':'; a unicast address other than all zeroes.
  /// Errors: invalid_argument.
  static Result<Mac> parse(std::string_view text);
  /// A stable, locally administered unicast address: the first 46 bits of a hash of `seed`.
  static Mac derive(std::string_view seed);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool is_multicast() const noexcept { return (bytes[0] & 1U) != 0; }
  [[nodiscard]] bool is_locally_administered() const noexcept { return (bytes[0] & 2U) != 0; }
};

/// Errors: invalid_argument unless 1..15 bytes, not "." or "..", without '/', ':' or white space
/// (net/core/dev.c:dev_valid_name).
Result<void> check_device_name(std::string_view name);

}  // namespace particle
