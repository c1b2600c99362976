// SPDX-License-Identifier: Apache-2.0
/// The daemons of an overlay, private to the demo: etcd, or FRR's zebra and bgpd on every node; and an
/// agent on every node.
#pragma once

#include <string>
#include <vector>

#include "demo/facts.hpp"
#include "demo/overlay/process.hpp"
#include "harness/fleet.hpp"

namespace particle::cli::demo {

using bench::Fleet;
using bench::FleetNode;
using bench::kServerAddress;

struct ControlPlane {
  std::vector<Process> daemons;  ///< servers first; ended in the order of the list, agents before
  std::vector<Process> agents;
  std::vector<std::string> versions;  ///< "etcd 3.4.23", for people

  ControlPlane() = default;
  ControlPlane(ControlPlane&&) = default;
  ControlPlane& operator=(ControlPlane&&) = default;
  ~ControlPlane() { agents.clear(); }

  /// Errors: io, naming what has ended and its last words.
  [[nodiscard]] Result<void> check();
};

/// Before anything is made. Errors: not_found for a program that is not there, with how to get it;
/// permission_denied.
Result<void> check_programs(const std::string& overlay);

/// Starts the overlay's daemons and, once they answer, the agents. Files go below `directory`, which must
/// be in a mount namespace of this process's own.
Result<ControlPlane> start_control_plane(const std::string& overlay, const Fleet& fleet,
                                         const std::string& directory, const Watch& watch);

}  // namespace particle::cli::demo
