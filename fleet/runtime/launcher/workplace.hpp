// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <particle/node.hpp>
#include <particle_fleet/job.hpp>

namespace particle::fleet {

/// What a job's backend is made of.
struct Workplace {
  const Node* node = nullptr;
  JobSpec job;
  PoolInfo pool;
  std::vector<std::string> layers;  ///< of the image, the lowest first
  std::string stage;                ///< an empty directory of the job's own
  bind::Mechanism enforce = bind::Mechanism::off;
};

}  // namespace particle::fleet
