// SPDX-License-Identifier: Apache-2.0
/// What several verbs ask of the node.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <particle/node.hpp>

#include "context.hpp"

namespace particle::cli {

/// The node this command runs on. Errors: those of Node::open.
Result<Node> open_node(const Context& context);

/// One pool from its record, without asking the kernel. Errors: not_found, naming the pool.
Result<PoolInfo> find_pool(const Node& node, const std::string& name);

/// "10.1.0.0/24 fd00:1::/64", with ranges where there are any.
std::string blocks_to_text(const PoolInfo& pool);

/// "10.1.0.0/24 10.2.0.0/24 and 3 more": `most` of them at the most.
std::string prefixes_to_text(const std::vector<IpPrefix>& prefixes, std::size_t most = 8);

}  // namespace particle::cli
