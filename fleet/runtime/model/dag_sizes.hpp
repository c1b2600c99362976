// SPDX-License-Identifier: Apache-2.0
/// The parts of a DAG's check that running it needs, too. Pure.
#pragma once

#include <vector>

#include <particle_fleet/dag.hpp>

#include "model/faults.hpp"

namespace particle::fleet {

/// The job of a stage.
JobSpec job_of(const Dag& dag, const Stage& stage);
/// How many instances each stage has; 0 for those in a cycle.
std::vector<std::uint64_t> sizes_of(const Dag& dag, Faults& faults);

}  // namespace particle::fleet
