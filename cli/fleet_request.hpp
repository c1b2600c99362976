// SPDX-License-Identifier: Apache-2.0
/// What `particle fleet ...` was asked for. The verbs read it; the program particle-fleet does it, so that
/// `particle` itself links no launcher.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <particle_fleet/agent.hpp>
#include <particle_fleet/job.hpp>
#include <particle_fleet/launcher.hpp>

namespace particle::cli {

struct FleetAgentRequest {
  std::string name;
  std::optional<std::string> socket;  ///< unset: the node's
  std::optional<std::string> listen;
  std::vector<fleet::AgentPeer> peers;
  std::optional<std::string> peer_file;  ///< one NAME=IP:PORT a line, read anew for each job
  fleet::LauncherOptions launcher;
};

struct FleetRunRequest {
  fleet::JobSpec job;
  std::uint64_t count = 1;
  std::optional<std::string> input;   ///< a file, or "-": what every instance reads
  std::optional<std::string> inputs;  ///< a file, or "-": a line for each instance
  std::optional<std::string> agent;   ///< a socket; unset: this node's agent, when it has one
  bool here = false;                  ///< no agent: on this node
  std::optional<std::string> timeline;
  std::optional<std::string> events;
  fleet::LauncherOptions launcher;
};

enum class FleetQuestion : std::uint8_t { jobs, logs, kill, nodes };
struct FleetAskRequest {
  FleetQuestion what = FleetQuestion::jobs;
  std::optional<std::string> agent;
  std::string subject;  ///< the job; the pool of `nodes`
  std::optional<std::uint64_t> instance;
  bool events = false;
};

struct FleetRequest {
  std::variant<FleetAgentRequest, FleetRunRequest, FleetAskRequest> what;
};

}  // namespace particle::cli
