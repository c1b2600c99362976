// SPDX-License-Identifier: Apache-2.0
/// The floor beside the testbed's pools.
#pragma once

#include <cstdint>

#include "harness/testbed.hpp"
#include "support/raw_floor.hpp"

namespace particle::bench {

/// Makes and removes a pool by hand in the VTEP of the testbed's tenant, which is there already. Waits
/// until the kernel is done with it.
Result<FloorTimes> floor_on(const Testbed& bed, std::uint64_t count, AddressMode mode);

/// Milliseconds that a tenant's VTEP takes on top of its first pool, without records, plan or checks: a namespace,
/// its pin, a bridge in it and a VXLAN device born there, both up. Removes it, and waits until the kernel is
/// done with it.
Result<double> vtep_floor_on(const Testbed& bed);

}  // namespace particle::bench
