// SPDX-License-Identifier: Apache-2.0
/// IP addresses, prefixes and ranges of both families, as plain values. Pure: no system calls.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle {

enum class Family : std::uint8_t { v4, v6 };

/// `AF_INET` or `AF_INET6`.
int address_family(Family family) noexcept;

/// An IPv4 or IPv6 address in network byte order. Ordered by family, then numerically.
class IpAddress {
 public:
  constexpr IpAddress() = default;  ///< 0.0.0.0
  /// Strict: dotted quad without leading zeroes, or RFC 4291 text without a zone.
  /// Errors: invalid_argument.
  static Result<IpAddress> parse(std::string_view text);
  /// 4 or 16 bytes. Errors: invalid_argument on any other size.
  static Result<IpAddress> from_bytes(std::span<const std::byte> bytes);

  [[nodiscard]] Family family() const noexcept { return family_; }
  [[nodiscard]] bool is_v4() const noexcept { return family_ == Family::v4; }
  [[nodiscard]] unsigned bits() const noexcept { return is_v4() ? 32 : 128; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept;
  [[nodiscard]] std::string to_string() const;  ///< RFC 5952 for IPv6
  [[nodiscard]] bool is_unspecified() const noexcept;
  [[nodiscard]] bool is_multicast() const noexcept;
  [[nodiscard]] bool is_loopback() const noexcept;
  [[nodiscard]] bool is_link_local() const noexcept;

  /// This address plus `offset`. Errors: invalid_argument when it would leave the family's space.
  [[nodiscard]] Result<IpAddress> plus(std::uint64_t offset) const;
  /// How far `other` is above this one, saturated at 2^64-1. Both of one family, other >= *this.
  [[nodiscard]] std::uint64_t distance_to(const IpAddress& other) const noexcept;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  friend class IpPrefix;
  Family family_ = Family::v4;
  std::array<std::byte, 16> bytes_{};  // IPv4 in the first four; the rest stays zero
};

/// An address and a prefix length, host bits zero: `10.1.0.0/24`.
class IpPrefix {
 public:
  constexpr IpPrefix() = default;  ///< 0.0.0.0/0
  /// `ADDRESS/LENGTH`. Errors: invalid_argument, with a hint naming the network when host bits are set.
  static Result<IpPrefix> parse(std::string_view text);
  /// Errors: invalid_argument when `length` is too long or host bits are set.
  static Result<IpPrefix> make(const IpAddress& address, unsigned length);
  /// The single address as a prefix (/32 or /128).
  static IpPrefix host(const IpAddress& address);
  /// `address` with its host bits cleared. `length` is clamped to the family's.
  static IpPrefix containing(const IpAddress& address, unsigned length);

  [[nodiscard]] const IpAddress& network() const noexcept { return network_; }
  [[nodiscard]] unsigned length() const noexcept { return length_; }
  [[nodiscard]] Family family() const noexcept { return network_.family(); }
  [[nodiscard]] IpAddress last() const noexcept;
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
  [[nodiscard]] bool contains(const IpPrefix& other) const noexcept;
  [[nodiscard]] bool overlaps(const IpPrefix& other) const noexcept;
  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;

 private:
  IpAddress network_;
  unsigned length_ = 0;
};

/// Consecutive addresses of one family, both ends included.
class IpRange {
 public:
  constexpr IpRange() = default;
  /// `FIRST-LAST` or one address. Errors: invalid_argument (mixed families, last below first).
  static Result<IpRange> parse(std::string_view text);
  static Result<IpRange> make(const IpAddress& first, const IpAddress& last);
  /// Every address of the prefix.
  static IpRange of(const IpPrefix& prefix);
  /// The addresses a host may have in `prefix`: without network and broadcast address (IPv4, up to
  /// /30) or the subnet-router anycast address (IPv6, up to /126).
  static IpRange hosts_of(const IpPrefix& prefix);

  [[nodiscard]] const IpAddress& first() const noexcept { return first_; }
  [[nodiscard]] const IpAddress& last() const noexcept { return last_; }
  [[nodiscard]] Family family() const noexcept { return first_.family(); }
  /// Number of addresses, saturated at 2^64-1.
  [[nodiscard]] std::uint64_t size() const noexcept;
  /// The address at `index`, which must be below size().
  [[nodiscard]] IpAddress at(std::uint64_t index) const;
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
  [[nodiscard]] bool overlaps(const IpRange& other) const noexcept;
  [[nodiscard]] bool within(const IpPrefix& prefix) const noexcept;
  /// The first `count` addresses (at most size(), at least one).
  [[nodiscard]] IpRange first_n(std::uint64_t count) const;
  /// The fewest prefixes that cover exactly this range, in ascending order; at most 2 * bits - 2.
  [[nodiscard]] std::vector<IpPrefix> to_prefixes() const;
  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const IpRange&, const IpRange&) = default;

 private:
  IpAddress first_;
  IpAddress last_;
};

}  // namespace particle

template <>
struct std::hash<particle::IpAddress> {
  std::size_t operator()(const particle::IpAddress& address) const noexcept;
};
