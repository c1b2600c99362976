// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <particle/node.hpp>
#include <particle/result.hpp>

#include "context.hpp"
#include "fleet_request.hpp"

namespace particle::cli {

/// Does what `particle fleet ...` was asked for. Returns the exit code.
Result<int> do_fleet(Context& context, const FleetRequest& request);

Result<int> run_fleet_agent(Context& context, const FleetAgentRequest& request);
Result<int> run_fleet_job(Context& context, const FleetRunRequest& request);
Result<int> run_fleet_pipeline(Context& context, const FleetPipelineRequest& request);
Result<int> run_fleet_stages(Context& context, const FleetRunRequest& request);
Result<int> ask_fleet(Context& context, const FleetAskRequest& request);

/// The directory of the sockets of all nodes that share a run directory.
std::string agent_sockets(const Node& node);
/// Where this node's agent listens unless it is told otherwise.
std::string agent_socket(const Node& node);
/// The socket that was asked for, else this node's. Errors: those of Node::open.
Result<std::string> agent_socket(const Context& context, const std::optional<std::string>& given);

}  // namespace particle::cli
