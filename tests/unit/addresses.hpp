// SPDX-License-Identifier: Apache-2.0
/// Addresses and prefixes as tests write them.
#pragma once

#include <particle/ip.hpp>

namespace particle {

inline IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
inline IpPrefix net(const char* text) {
  return *IpPrefix::parse(text);
}

}  // namespace particle
