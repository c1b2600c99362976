// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include <particle/node.hpp>
#include <particle/result.hpp>

#include "context.hpp"

namespace particle::cli {

/// The directory of the sockets of all nodes that share a run directory.
std::string agent_sockets(const Node& node);
/// Where this node's agent listens unless it is told otherwise.
std::string agent_socket(const Node& node);
/// The socket that was asked for, else this node's. Errors: those of Node::open.
Result<std::string> agent_socket(const Context& context, const std::optional<std::string>& given);

}  // namespace particle::cli
