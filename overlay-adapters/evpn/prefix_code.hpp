// SPDX-License-Identifier: Apache-2.0
/// Prefixes as the addresses that EVPN's MAC/IP routes (type 2) carry. Pure.
///
/// A prefix is announced by its first and its last address under the pool's MAC: two routes, however
/// many endpoints. Read back, two addresses that follow each other in order and are exactly the ends of
/// a prefix are that prefix, and any other address stands for itself. That is unambiguous for what
/// IpRange::to_prefixes and whole prefixes yield, and an ordinary EVPN host with one address is a /32.
#pragma once

#include <vector>

#include <particle/ip.hpp>

namespace particle::overlay::evpn {

/// In ascending order, each once.
std::vector<IpAddress> encode_prefixes(const std::vector<IpPrefix>& prefixes);
/// In ascending order.
std::vector<IpPrefix> decode_prefixes(std::vector<IpAddress> addresses);

}  // namespace particle::overlay::evpn
