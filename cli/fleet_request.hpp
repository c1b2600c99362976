// SPDX-License-Identifier: Apache-2.0
/// What `particle fleet ...` was asked for. The verbs read it; the programs particle-fleet and
/// particle-fleet-agent do it, so that `particle` itself links no launcher.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <particle_fleet/agent.hpp>
#include <particle_fleet/job.hpp>
#include <particle_fleet/launcher.hpp>
#include <particle_sprocket/pipeline.hpp>

namespace particle::cli {

struct FleetAgentRequest {
  std::string name;
  std::optional<std::string> socket;  ///< unset: the node's
  std::optional<std::string> listen;
  std::optional<std::string> secret_file;  ///< of the fleet; set where listen is, unless:
  bool no_authentication = false;          ///< whoever reaches `listen` is served
  std::string cluster;
  std::vector<fleet::AgentPeer> peers;
  std::optional<std::string> peer_file;     ///< one NAME=IP:PORT a line, read anew for each job
  std::map<std::string, std::string> etcd;  ///< overlay etcd's settings; empty: peers are listed
  fleet::LauncherOptions launcher;
};

struct FleetRunRequest {
  std::optional<std::string> job_file;  ///< a DAG; then nothing of the job itself is given
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

struct FleetPipelineRequest {
  enum class Action : std::uint8_t { run, check, list };
  Action action = Action::list;
  std::string spec;  ///< a file, or the name of a pipespec that comes along
  sprocket::PipelineOptions options;
  bool local = false;                 ///< plain processes
  std::optional<std::string> agent;   ///< a socket; unset: this node's agent, when it has one
  std::optional<std::string> worker;  ///< the worker's program
  std::optional<std::string> timeline;
  std::optional<std::string> events;
};

struct FleetRequest {
  std::variant<FleetRunRequest, FleetAskRequest, FleetPipelineRequest> what;
};

}  // namespace particle::cli
