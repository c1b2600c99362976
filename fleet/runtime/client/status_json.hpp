// SPDX-License-Identifier: Apache-2.0
/// What an agent says of nodes and jobs, as JSON. Pure.
#pragma once

#include <vector>

#include <particle_fleet/client.hpp>

#include "model/object_reader.hpp"

namespace particle::fleet {

Json node_to_json(const NodeStatus& node);
Json nodes_to_json(const std::vector<NodeStatus>& nodes);
Result<std::vector<NodeStatus>> nodes_from_json(const Json& value);
Json jobs_to_json(const std::vector<JobStatus>& jobs);
Result<std::vector<JobStatus>> jobs_from_json(const Json& value);

}  // namespace particle::fleet
