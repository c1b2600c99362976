// SPDX-License-Identifier: Apache-2.0
/// What figures depend on: the machine, how busy it is, how much memory is taken.
#pragma once

#include <chrono>

#include "harness/stats.hpp"

namespace particle::bench {

/// Kernel, processor, memory, date, load, build. No host name.
Json machine();

/// Shares from 0 to 1 of what all processors together could do.
struct Load {
  double busy = 0;    ///< not idle
  double stolen = 0;  ///< taken by the hypervisor for others
};

/// Watches the machine for so long. What the calling process does meanwhile counts, too.
Load measure_load(std::chrono::milliseconds during);

/// Kernel memory that belongs to nobody's pages, in KiB: slab, per-CPU areas, stacks, page tables.
double kernel_memory_kib();

/// Resident memory of this process, in KiB.
double own_memory_kib();

}  // namespace particle::bench
