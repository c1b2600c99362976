// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <particle/result.hpp>

#include "agent_request.hpp"
#include "context.hpp"

namespace particle::cli {

/// Does what `particle agent` was asked for. Returns the exit code.
Result<int> run_agent(Context& context, const AgentRequest& request);

}  // namespace particle::cli
