// SPDX-License-Identifier: Apache-2.0
#include "fleet/agent_sockets.hpp"

#include "node_access.hpp"

namespace particle::cli {

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
