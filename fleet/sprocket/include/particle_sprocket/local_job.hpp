// SPDX-License-Identifier: Apache-2.0
/// A job whose instances are plain processes of this machine: no pool, no containers, loopback only.
#pragma once

#include <memory>

#include <particle_fleet/job.hpp>

namespace particle::sprocket {

/// `job.function.image`, its mounts, limits but wall_time, and `job.pool` mean nothing here. Every
/// instance leads a process group, which ends with it, and dies with this process.
/// Errors: kernel.
Result<std::unique_ptr<fleet::RunningJob>> start_local_job(const fleet::JobSpec& job,
                                                           fleet::JobObserver& observer);

}  // namespace particle::sprocket
