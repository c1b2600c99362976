// SPDX-License-Identifier: Apache-2.0
// Text to addresses, prefixes, ranges, MACs, VNIs and MTUs: what parses prints, and parses again to
// the same value; prefixes of a range cover it exactly.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <particle/ip.hpp>
#include <particle/types.hpp>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

template <class T>
void round_trip(std::string_view text) {
  const auto value = T::parse(text);
  if (!value) {
    require(value.error().kind() == particle::Errc::invalid_argument);
    return;
  }
  const auto again = T::parse(value->to_string());
  require(again.has_value() && *again == *value);
}

void cover(std::string_view text) {
  const auto range = particle::IpRange::parse(text);
  if (!range) return;
  const auto prefixes = range->to_prefixes();
  require(!prefixes.empty() && prefixes.front().network() == range->first());
  require(prefixes.back().last() == range->last());
  for (std::size_t i = 1; i < prefixes.size(); ++i) {
    const auto next = prefixes[i - 1].last().plus(1);
    require(next.has_value() && *next == prefixes[i].network());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip<particle::IpAddress>(text);
  round_trip<particle::IpPrefix>(text);
  round_trip<particle::IpRange>(text);
  round_trip<particle::Mac>(text);
  cover(text);
  if (const auto vni = particle::Vni::parse(text)) require(vni->value() >= 1);
  if (const auto mtu = particle::Mtu::parse(text)) require(mtu->value() >= particle::Mtu::kMin);
  (void)particle::check_device_name(text);
  return 0;
}
