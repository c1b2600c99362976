// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <particle/ip.hpp>

#include "base/ip_number.hpp"
#include "base/text.hpp"

namespace particle {

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto reject = [&](std::string hint) {
    return fail(Error::of(Errc::invalid_argument, "prefix " + base::quoted(text), std::move(hint)));
  };
  const auto slash = text.find('/');
  if (slash == std::string_view::npos)
    return reject("a prefix reads like 10.1.0.0/24 or fd00::/64");
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return reject(address.error().hint);
  const auto length = base::parse_decimal(text.substr(slash + 1));
  if (!length || *length > address->bits()) {
    return reject("a prefix length is a number from 0 to " + std::to_string(address->bits()));
  }
  return make(*address, static_cast<unsigned>(*length));
}

Result<IpPrefix> IpPrefix::make(const IpAddress& address, unsigned length) {
  const auto reject = [&](std::string hint) {
    return fail(Error::of(Errc::invalid_argument,
                          "prefix '" + address.to_string() + "/" + std::to_string(length) + "'",
                          std::move(hint)));
  };
  if (length > address.bits()) {
    return reject("a prefix length is a number from 0 to " + std::to_string(address.bits()));
  }
  const IpPrefix prefix = containing(address, length);
  if (prefix.network_ != address)
    return reject("host bits are set; the network is " + prefix.to_string());
  return prefix;
}

IpPrefix IpPrefix::host(const IpAddress& address) {
  return containing(address, address.bits());
}

IpPrefix IpPrefix::containing(const IpAddress& address, unsigned length) {
  IpPrefix prefix;
  prefix.length_ = std::min(length, address.bits());
  const auto mask = base::host_mask(address.family(), prefix.length_);
  prefix.network_ = base::from_number(address.family(), base::to_number(address) & ~mask);
  return prefix;
}

IpAddress IpPrefix::last() const noexcept {
  return base::from_number(family(),
                           base::to_number(network_) | base::host_mask(family(), length_));
}

bool IpPrefix::contains(const IpAddress& address) const noexcept {
  if (address.family() != family()) return false;
  const auto different = base::to_number(address) ^ base::to_number(network_);
  return (different & ~base::host_mask(family(), length_)) == 0;
}

bool IpPrefix::contains(const IpPrefix& other) const noexcept {
  return other.length_ >= length_ && contains(other.network_);
}

bool IpPrefix::overlaps(const IpPrefix& other) const noexcept {
  return contains(other) || other.contains(*this);
}

std::string IpPrefix::to_string() const {
  return network_.to_string() + "/" + std::to_string(length_);
}

}  // namespace particle
