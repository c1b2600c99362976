// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <particle/node.hpp>

namespace particle::bench {

/// The node that the network namespace `netns` is. Errors: those of NetNs::run and Node::open.
Result<Node> open_node(const NetNs& netns, const std::string& run_dir);

}  // namespace particle::bench
