// SPDX-License-Identifier: Apache-2.0
/// The FRR configuration of a node, or of a route reflector for many nodes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle/result.hpp>

namespace particle::overlay::evpn {

struct FrrConfigSpec {
  std::uint32_t as_number = 65000;  ///< one for all nodes: internal BGP
  IpAddress local;                  ///< this node's underlay address, IPv4
  std::vector<IpAddress> peers;     ///< the other nodes, or the reflectors
  /// This node reflects: it takes sessions from every node in this prefix.
  std::optional<IpPrefix> reflect;
  /// BGP's keepalive interval in seconds; a dead node is noticed after three of them.
  unsigned keepalive = 3;
};

/// Everything that is wrong with it; empty when it is valid.
std::vector<Error> check(const FrrConfigSpec& spec);
/// What belongs into /etc/frr/frr.conf. The spec is valid.
std::string frr_config(const FrrConfigSpec& spec);

}  // namespace particle::overlay::evpn
