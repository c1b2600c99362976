// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <particle/ip.hpp>

#include "base/ip_number.hpp"
#include "base/text.hpp"

namespace particle {
namespace {

Error malformed(std::string_view text) {
  return Error::of(Errc::invalid_argument, "IP address " + base::quoted(text),
                   "an address reads like 10.1.0.7 or fd00::7");
}

}  // namespace

int address_family(Family family) noexcept {
  return family == Family::v4 ? AF_INET : AF_INET6;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos)
    return fail(malformed(text));
  std::copy(text.begin(), text.end(), terminated.begin());
  IpAddress address;
  address.family_ = text.find(':') == std::string_view::npos ? Family::v4 : Family::v6;
  if (::inet_pton(address_family(address.family_), terminated.data(), address.bytes_.data()) != 1) {
    return fail(malformed(text));
  }
  return address;
}

Result<IpAddress> IpAddress::from_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) {
    return fail(Error::of(Errc::invalid_argument,
                          "IP address of " + std::to_string(bytes.size()) + " bytes",
                          "an address has 4 or 16 bytes"));
  }
  IpAddress address;
  address.family_ = bytes.size() == 4 ? Family::v4 : Family::v6;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

std::span<const std::byte> IpAddress::bytes() const noexcept {
  return std::span(bytes_).first(is_v4() ? 4 : 16);
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address_family(family_), bytes_.data(), text.data(),
              static_cast<socklen_t>(text.size()));
  return text.data();
}

bool IpAddress::is_unspecified() const noexcept {
  return base::to_number(*this) == 0;
}

bool IpAddress::is_multicast() const noexcept {
  return is_v4() ? (bytes_[0] & std::byte{0xf0}) == std::byte{0xe0} : bytes_[0] == std::byte{0xff};
}

bool IpAddress::is_loopback() const noexcept {
  return is_v4() ? bytes_[0] == std::byte{127} : base::to_number(*this) == 1;
}

bool IpAddress::is_link_local() const noexcept {
  if (is_v4()) return bytes_[0] == std::byte{169} && bytes_[1] == std::byte{254};
  return bytes_[0] == std::byte{0xfe} && (bytes_[1] & std::byte{0xc0}) == std::byte{0x80};
}

Result<IpAddress> IpAddress::plus(std::uint64_t offset) const {
  const auto number = base::to_number(*this);
  if (offset > base::highest(family_) - number) {
    return fail(Error::of(Errc::invalid_argument, to_string() + " + " + std::to_string(offset),
                          "the sum is beyond the last address of the family"));
  }
  return base::from_number(family_, number + offset);
}

std::uint64_t IpAddress::distance_to(const IpAddress& other) const noexcept {
  return base::saturate(base::to_number(other) - base::to_number(*this));
}

}  // namespace particle

std::size_t std::hash<particle::IpAddress>::operator()(
    const particle::IpAddress& address) const noexcept {
  const auto number = particle::base::to_number(address);
  auto mixed = static_cast<std::uint64_t>(number) ^
               (static_cast<std::uint64_t>(number >> 64U) * 0x9e3779b97f4a7c15U);
  if (!address.is_v4()) mixed = ~mixed;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  return mixed ^ (mixed >> 31U);
}
