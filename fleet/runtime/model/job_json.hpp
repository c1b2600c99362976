// SPDX-License-Identifier: Apache-2.0
/// Functions, jobs and instances as JSON: in job files and in the protocol. docs/fleet.md has the keys.
/// Pure. Reading notes wrong types and unknown keys as faults; what the values mean is check_job's.
#pragma once

#include <string>

#include <particle_fleet/job.hpp>

#include "model/object_reader.hpp"

namespace particle::fleet {

Json function_to_json(const Function& function);
Function read_function(const Json& value, const std::string& where, Faults& faults);

Json job_to_json(const JobSpec& job);
JobSpec read_job(const Json& value, const std::string& where, Faults& faults);

Json instance_to_json(const InstanceSpec& instance);
InstanceSpec read_instance(const Json& value, const std::string& where, Faults& faults);

}  // namespace particle::fleet
