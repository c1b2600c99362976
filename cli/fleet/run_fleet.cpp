// SPDX-License-Identifier: Apache-2.0
#include "fleet/run_fleet.hpp"

#include "node_access.hpp"

namespace particle::cli {
namespace {

struct Dispatch {
  Context& context;
  Result<int> operator()(const FleetAgentRequest& request) const {
    return run_fleet_agent(context, request);
  }
  Result<int> operator()(const FleetRunRequest& request) const {
    return run_fleet_job(context, request);
  }
  Result<int> operator()(const FleetPipelineRequest& request) const {
    return run_fleet_pipeline(context, request);
  }
  Result<int> operator()(const FleetAskRequest& request) const {
    return ask_fleet(context, request);
  }
};

}  // namespace

Result<int> do_fleet(Context& context, const FleetRequest& request) {
  return std::visit(Dispatch{context}, request.what);
}

std::string agent_sockets(const Node& node) {
  return node.run_dir() + "/fleet-agents";
}

std::string agent_socket(const Node& node) {
  // Not in the node's own directory, which goes with its last pool.
  return agent_sockets(node) + "/" + node.id() + ".sock";
}

Result<std::string> agent_socket(const Context& context, const std::optional<std::string>& given) {
  if (given) return *given;
  const auto node = open_node(context);
  if (!node) return fail(node.error());
  return agent_socket(*node);
}

}  // namespace particle::cli
