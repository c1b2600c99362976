// SPDX-License-Identifier: Apache-2.0
/// The programs that `particle` becomes, so that it stays small itself. They have the same command line:
/// particle-agent has the overlays linked in, for the verbs that need a control plane; particle-fleet has
/// the burst launcher, for `particle fleet ...`, and particle-fleet-agent what `particle fleet agent` needs.
#pragma once

#include <string>

#include <particle/error.hpp>

#include "context.hpp"

namespace particle::cli {

/// Replaces this process by particle-agent with the same arguments: the one beside this program, else
/// the one in PATH. Returns only when there is none.
Error become_agent(const Context& context);
/// The same with particle-fleet.
Error become_fleet(const Context& context);
/// The same with particle-fleet-agent.
Error become_fleet_agent(const Context& context);

/// The usual name of this node in a cluster; empty when the host has none.
std::string host_name();

}  // namespace particle::cli
