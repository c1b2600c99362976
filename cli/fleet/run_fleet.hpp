// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <particle/result.hpp>

#include "context.hpp"
#include "fleet_request.hpp"

namespace particle::cli {

/// Does what `particle fleet ...` was asked for. Returns the exit code.
Result<int> do_fleet(Context& context, const FleetRequest& request);

Result<int> run_fleet_job(Context& context, const FleetRunRequest& request);
Result<int> run_fleet_pipeline(Context& context, const FleetPipelineRequest& request);
Result<int> run_fleet_stages(Context& context, const FleetRunRequest& request);
Result<int> ask_fleet(Context& context, const FleetAskRequest& request);

}  // namespace particle::cli
