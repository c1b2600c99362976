// SPDX-License-Identifier: Apache-2.0
/// What is known of a pipeline's failure besides its error: where its workers ran and how they ended. Pure.
#pragma once

#include <vector>

#include <particle_fleet/event.hpp>
#include <particle_fleet/job.hpp>

namespace particle::cli {

/// Adds the job to the error of a task that failed too often, its workers as details, and what to do. Other
/// errors stay as they are. `has_agent`: an agent keeps what workers wrote.
Error explain_pipeline(Error error, const fleet::JobSpec& job,
                       const std::vector<fleet::Event>& events, bool has_agent);

}  // namespace particle::cli
