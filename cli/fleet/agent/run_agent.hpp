// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <particle/result.hpp>

#include "context.hpp"
#include "fleet_request.hpp"

namespace particle::cli {

/// Does what `particle fleet agent` was asked for. Returns the exit code.
Result<int> run_fleet_agent(Context& context, const FleetAgentRequest& request);

}  // namespace particle::cli
