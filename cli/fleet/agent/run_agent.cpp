// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fstream>

#include <unistd.h>

#include <particle_fleet/members.hpp>

#include "agent/agent_log.hpp"
#include "exit_codes.hpp"
#include "fleet/agent/run_agent.hpp"
#include "fleet/agent_sockets.hpp"
#include "node_access.hpp"
#include "overlay-adapters/agent/notify.hpp"
#include "overlay-adapters/agent/signals.hpp"

namespace particle::cli {
namespace {

using fleet::AgentPeer;
using fleet::LogLevel;

overlay::Severity severity_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return overlay::Severity::debug;
    case LogLevel::info:
      return overlay::Severity::info;
    case LogLevel::warning:
      return overlay::Severity::warning;
    case LogLevel::error:
      return overlay::Severity::error;
  }
  return overlay::Severity::error;
}

/// Lines NAME=IP:PORT; empty ones and those that begin with # are left out. All faults at once.
Result<std::vector<AgentPeer>> read_peers(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(Error::from_errno(errno, "open " + path));
  std::vector<AgentPeer> peers;
  std::vector<std::string> faults;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    auto peer = AgentPeer::parse(line);
    if (peer) {
      peers.push_back(std::move(*peer));
    } else {
      faults.push_back("line " + std::to_string(number) + ": " + peer.error().operation + ": " +
                       peer.error().hint);
    }
  }
  if (faults.empty()) return peers;
  Error error = Error::of(Errc::invalid_argument, path);
  error.details = std::move(faults);
  return fail(std::move(error));
}

using Membership = std::function<Result<std::vector<AgentPeer>>()>;

Membership membership(const FleetAgentRequest& request,
                      const std::shared_ptr<fleet::Members>& members) {
  if (members) {
    return [members]() -> Result<std::vector<AgentPeer>> { return members->peers(); };
  }
  if (request.peers.empty() && !request.peer_file) return {};
  return [peers = request.peers, path = request.peer_file]() -> Result<std::vector<AgentPeer>> {
    if (!path) return peers;
    auto all = read_peers(*path);
    if (all) all->insert(all->end(), peers.begin(), peers.end());
    return all;
  };
}

/// Null where the peers are listed.
Result<std::shared_ptr<fleet::Members>> open_members(
    const FleetAgentRequest& request, const Node& node,
    const std::function<void(LogLevel, const std::string&)>& log) {
  if (request.etcd.empty()) return std::shared_ptr<fleet::Members>();
  auto members = fleet::Members::open({.name = request.name,
                                       .address = request.listen.value_or(""),
                                       .node_id = node.id(),
                                       .etcd = request.etcd,
                                       .log = log});
  if (!members) return fail(std::move(members.error()));
  return std::shared_ptr<fleet::Members>(std::move(*members));
}

Result<void> serve(fleet::Agent& agent, overlay::Signals& signals) {
  while (true) {
    if (auto ok = agent.run(signals.fd()); !ok) return ok;
    if (signals.take().stop) return {};  // SIGHUP: the file of peers is read for each job anyway
  }
}

}  // namespace

Result<int> run_fleet_agent(Context& context, const FleetAgentRequest& request) {
  const auto notifier = overlay::Notifier::from_environment();
  auto signals = overlay::Signals::open();
  if (!signals) return fail(std::move(signals.error()));
  if (request.peer_file) {
    if (auto peers = read_peers(*request.peer_file); !peers) return fail(std::move(peers.error()));
  }
  auto node = open_node(context);
  if (!node) return fail(std::move(node.error()));
  const std::string sockets = agent_sockets(*node);
  const auto write_log = open_agent_log(context.verbosity);
  fleet::AgentOptions options;
  options.name = request.name;
  options.socket = request.socket.value_or(agent_socket(*node));
  options.listen = request.listen;
  options.secret_file = request.secret_file;
  options.no_authentication = request.no_authentication;
  options.cluster = request.cluster;
  options.log = [write_log](LogLevel level, const std::string& text) {
    write_log(severity_of(level), text);
  };
  const auto members = open_members(request, *node, options.log);
  if (!members) return fail(members.error());
  options.peers = membership(request, *members);
  const std::string where = options.socket + (request.listen ? " and " + *request.listen : "");
  auto launcher = fleet::Launcher::open(std::move(*node), request.launcher);
  if (!launcher) return fail(std::move(launcher.error()));
  auto agent = fleet::Agent::open(fleet::make_runtime(std::move(*launcher)), std::move(options));
  if (!agent) return fail(std::move(agent.error()));
  // Once it can be reached: from then on others send instances here.
  if (*members) {
    if (auto ok = (*members)->start(); !ok) return fail(std::move(ok.error()));
  }
  write_log(overlay::Severity::info, "agent " + request.name + " listens at " + where);
  if (request.listen && request.no_authentication) {
    write_log(overlay::Severity::warning,
              "no authentication: whoever reaches " + *request.listen +
                  " runs programs as root on this node, and what agents say is not encrypted");
  }
  notifier.say("READY=1");
  const Result<void> served = serve(*agent, *signals);
  notifier.say("STOPPING=1");
  if (*members) (*members)->leave();
  {
    const fleet::Agent ending = std::move(*agent);
  }
  ::rmdir(sockets.c_str());  // when it is empty
  if (!served) return fail(served.error());
  write_log(overlay::Severity::info, "stopped");
  return kExitOk;
}

}  // namespace particle::cli
