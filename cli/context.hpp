// SPDX-License-Identifier: Apache-2.0
/// What every verb gets: the global options, and the place where it leaves its work.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <particle/result.hpp>

namespace particle::cli {

struct AgentRequest;
struct BlocksRequest;
struct FleetAgentRequest;
struct FleetRequest;
struct Context;
/// Does what `particle agent` was asked for. Returns the exit code.
using RunAgent = Result<int> (*)(Context& context, const AgentRequest& request);
/// The same for `allocate-block`, `release-block` and `list-blocks`.
using RunBlocks = Result<int> (*)(Context& context, const BlocksRequest& request);
/// The same for the other verbs of `fleet`.
using RunFleet = Result<int> (*)(Context& context, const FleetRequest& request);
/// The same for `fleet agent`.
using RunFleetAgent = Result<int> (*)(Context& context, const FleetAgentRequest& request);
/// What only particle-agent, particle-fleet or particle-fleet-agent can do.
struct AgentVerbs {
  RunAgent run_agent = nullptr;
  RunBlocks run_blocks = nullptr;
  RunFleet run_fleet = nullptr;
  RunFleetAgent run_fleet_agent = nullptr;
};

struct Context {
  std::string run_dir;
  bool json = false;
  bool no_color = false;
  int verbosity = 0;
  std::string verb;                    ///< "create-pool", for error lines
  std::string subject;                 ///< "acme": what the verb is about, for error lines
  std::vector<std::string> command;    ///< what follows `--`
  std::vector<std::string> arguments;  ///< all of them, as they were given
  AgentVerbs agent_verbs;              ///< set in particle-agent, which `particle agent` becomes
  /// The verb's work: set while arguments are parsed, run once they all are. Returns the exit code;
  /// an error is printed and turned into one by the caller.
  std::function<Result<int>()> action;
};

}  // namespace particle::cli
