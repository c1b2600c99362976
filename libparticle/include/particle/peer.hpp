// SPDX-License-Identifier: Apache-2.0
/// Peers: remote nodes of a tenant. One FDB entry, one permanent neighbour per family and one route
/// per prefix for each, however many endpoints are behind it.
#pragma once

#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle/result.hpp>
#include <particle/types.hpp>

namespace particle {

struct Peer {
  std::string tenant;
  IpAddress vtep;                  ///< its underlay address
  Mac mac;                         ///< of its pool
  std::vector<IpPrefix> prefixes;  ///< what is behind it
  /// Who keeps this entry: empty for one that was added by hand, else the name given to
  /// Node::replace_peers, which touches no other.
  std::string owner{};
  friend bool operator==(const Peer&, const Peer&) = default;
};

struct PeerInfo {
  Peer peer;
  bool programmed = false;            ///< the kernel has every entry
  std::vector<std::string> problems;  ///< what is missing, one line each
};

/// Pure. Everything that is wrong with the peer itself; empty when it is valid.
std::vector<Error> check(const Peer& peer);

}  // namespace particle
