// SPDX-License-Identifier: Apache-2.0
/// The floor: a pool made by hand with libmnl, with the kernel calls that a pool takes and nothing
/// else. One scratch thread, as few sends as the socket allows, no records, no plan, no checks.
#pragma once

#include <cstdint>
#include <string>

#include <particle/pool.hpp>
#include <particle/result.hpp>

namespace particle::bench {

struct FloorSpec {
  std::uint64_t count = 1;
  bool anyip = false;
  std::string vtep_path;         ///< the pin of the tenant's VTEP namespace
  std::string pin;               ///< where to pin the pool's namespace
  std::string port;              ///< the near end's name
  std::uint32_t port_index = 0;  ///< and index, in the VTEP's namespace
  std::uint32_t bridge_index = 0;
  std::uint32_t mtu = 0;
};

/// Milliseconds, in all and by what they went into.
struct FloorTimes {
  double total = 0;
  double namespace_and_sockets = 0;
  double pin = 0;
  double vtep = 0;   ///< veth, attach, FDB entry: one send
  double guest = 0;  ///< raise, addresses, routes: one send
};

/// IPv4, 10.2.0.0/16, as spec_of() asks of libparticle.
Result<FloorTimes> floor_create(const FloorSpec& spec);
/// Removes the veth and the pin.
Result<void> floor_delete(const FloorSpec& spec);

}  // namespace particle::bench
