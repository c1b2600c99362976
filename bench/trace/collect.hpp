// SPDX-License-Identifier: Apache-2.0
/// From the programs' maps to observations.
#pragma once

#include "trace/bpf/shared.h"
#include "trace/trace.hpp"

namespace particle::trace {

/// Descriptors of the maps; see bpf/trace.bpf.c.
struct Maps {
  int times, stacks, commands, locks, steps, counters;
};

/// Everything but wall time and the tracer's own.
Observations collect(const Maps& maps);

}  // namespace particle::trace
