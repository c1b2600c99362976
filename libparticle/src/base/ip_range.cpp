// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <limits>

#include <particle/ip.hpp>

#include "base/ip_number.hpp"
#include "base/text.hpp"

namespace particle {
namespace {

unsigned trailing_zeroes(base::Number number, unsigned bits) noexcept {
  const auto low = static_cast<std::uint64_t>(number);
  const auto high = static_cast<std::uint64_t>(number >> 64U);
  const int count = low != 0 ? std::countr_zero(low) : 64 + std::countr_zero(high);
  return std::min(static_cast<unsigned>(count), bits);
}

/// The largest k with 2^k - 1 <= span.
unsigned whole_bits(base::Number span) noexcept {
  if (span == ~base::Number{0}) return 128;
  const base::Number count = span + 1;
  const auto high = static_cast<std::uint64_t>(count >> 64U);
  const auto width =
      high != 0 ? 64 + std::bit_width(high) : std::bit_width(static_cast<std::uint64_t>(count));
  return static_cast<unsigned>(width) - 1;
}

}  // namespace

Result<IpRange> IpRange::parse(std::string_view text) {
  const auto reject = [&](std::string hint) {
    return fail(
        Error::of(Errc::invalid_argument, "address range " + base::quoted(text), std::move(hint)));
  };
  const auto dash = text.find('-');
  const auto first = IpAddress::parse(text.substr(0, dash));
  if (!first) return reject("a range reads like 10.1.0.10-10.1.0.250");
  if (dash == std::string_view::npos) return make(*first, *first);
  const auto last = IpAddress::parse(text.substr(dash + 1));
  if (!last) return reject("a range reads like 10.1.0.10-10.1.0.250");
  return make(*first, *last);
}

Result<IpRange> IpRange::make(const IpAddress& first, const IpAddress& last) {
  IpRange range;
  range.first_ = first;
  range.last_ = last;
  if (first.family() == last.family() && first <= last) return range;
  return fail(Error::of(Errc::invalid_argument, "address range '" + range.to_string() + "'",
                        first.family() != last.family()
                            ? "both ends are of one family"
                            : "the first address is not above the last"));
}

IpRange IpRange::of(const IpPrefix& prefix) {
  IpRange range;
  range.first_ = prefix.network();
  range.last_ = prefix.last();
  return range;
}

IpRange IpRange::hosts_of(const IpPrefix& prefix) {
  IpRange range = of(prefix);
  const unsigned bits = prefix.network().bits();
  if (prefix.length() + 2 > bits) return range;
  range.first_ = base::from_number(range.family(), base::to_number(range.first_) + 1);
  if (range.first_.is_v4())
    range.last_ = base::from_number(range.family(), base::to_number(range.last_) - 1);
  return range;
}

std::uint64_t IpRange::size() const noexcept {
  const std::uint64_t distance = first_.distance_to(last_);
  return distance == std::numeric_limits<std::uint64_t>::max() ? distance : distance + 1;
}

IpAddress IpRange::at(std::uint64_t index) const {
  return base::from_number(family(), base::to_number(first_) + index);
}

bool IpRange::contains(const IpAddress& address) const noexcept {
  return address.family() == family() && first_ <= address && address <= last_;
}

bool IpRange::overlaps(const IpRange& other) const noexcept {
  return family() == other.family() && first_ <= other.last_ && other.first_ <= last_;
}

bool IpRange::within(const IpPrefix& prefix) const noexcept {
  return prefix.contains(first_) && prefix.contains(last_);
}

IpRange IpRange::first_n(std::uint64_t count) const {
  IpRange range = *this;
  range.last_ = at(std::clamp<std::uint64_t>(count, 1, size()) - 1);
  return range;
}

std::vector<IpPrefix> IpRange::to_prefixes() const {
  std::vector<IpPrefix> prefixes;
  const unsigned bits = first_.bits();
  const auto last = base::to_number(last_);
  auto next = base::to_number(first_);
  for (;;) {
    // The largest block that starts here (alignment) and does not pass the end.
    const unsigned block = std::min(trailing_zeroes(next, bits), whole_bits(last - next));
    prefixes.push_back(IpPrefix::containing(base::from_number(family(), next), bits - block));
    const auto block_last = next | base::host_mask(family(), bits - block);
    if (block_last >= last) return prefixes;
    next = block_last + 1;
  }
}

std::string IpRange::to_string() const {
  return first_ == last_ ? first_.to_string() : first_.to_string() + "-" + last_.to_string();
}

}  // namespace particle
