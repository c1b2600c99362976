// SPDX-License-Identifier: Apache-2.0
#include "evpn/prefix_code.hpp"

#include <algorithm>
#include <optional>

namespace particle::overlay::evpn {
namespace {

/// The prefix of which these are the first and the last address, if there is one.
std::optional<IpPrefix> between(const IpAddress& first, const IpAddress& last) {
  if (first.family() != last.family() || !(first < last)) return std::nullopt;
  for (unsigned length = first.bits(); length-- > 1;) {
    const IpPrefix prefix = IpPrefix::containing(first, length);
    if (prefix.network() != first) return std::nullopt;
    if (prefix.last() == last) return prefix;
    if (last < prefix.last()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::vector<IpAddress> encode_prefixes(const std::vector<IpPrefix>& prefixes) {
  std::vector<IpAddress> out;
  for (const IpPrefix& prefix : prefixes) {
    out.push_back(prefix.network());
    out.push_back(prefix.last());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<IpPrefix> decode_prefixes(std::vector<IpAddress> addresses) {
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  std::vector<IpPrefix> out;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (i + 1 < addresses.size()) {
      if (const auto prefix = between(addresses[i], addresses[i + 1])) {
        out.push_back(*prefix);
        ++i;
        continue;
      }
    }
    out.push_back(IpPrefix::host(addresses[i]));
  }
  return out;
}

}  // namespace particle::overlay::evpn
