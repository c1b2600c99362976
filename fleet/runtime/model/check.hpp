// SPDX-License-Identifier: Apache-2.0
/// The parts of check_function and check_job that others use. Pure.
#pragma once

#include <vector>

#include <particle_fleet/job.hpp>

#include "model/faults.hpp"

namespace particle::fleet {

void check_function(const Function& function, Faults& faults);

/// What is wrong with instances of a job: an index twice, a word with a NUL byte. Whether an index was
/// used before, and whether nodes and addresses exist, is for the caller.
Result<void> check_instances(const std::vector<InstanceSpec>& instances);

}  // namespace particle::fleet
