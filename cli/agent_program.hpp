// SPDX-License-Identifier: Apache-2.0
/// particle-agent: the program that has the overlays linked in. It has the same command line, and
/// `particle` becomes it for the verbs that need a control plane.
#pragma once

#include <string>

#include <particle/error.hpp>

#include "context.hpp"

namespace particle::cli {

/// Replaces this process by particle-agent with the same arguments: the one beside this program, else
/// the one in PATH. Returns only when there is none.
Error become_agent(const Context& context);

/// The usual name of this node in a cluster; empty when the host has none.
std::string host_name();

}  // namespace particle::cli
