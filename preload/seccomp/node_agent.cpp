// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <map>

#include <particle/netns.hpp>
#include <particle_bind/agent.hpp>

#include "seccomp/agent.hpp"
#include "seccomp/call.hpp"
#include "seccomp/in_flight.hpp"
#include "src/guard.hpp"

namespace particle::bind {

Result<CallTable> CallTable::make() {
  Result<InFlight> calls = InFlight::make();
  if (!calls) {
    return fail(calls.error());
  }
  return CallTable(std::make_shared<InFlight>(*std::move(calls)));
}

void CallTable::fail_all(const std::function<int(std::uint32_t number)>& listener_of) {
  calls_->abandon([&](std::uint32_t number, std::uint64_t id) {
    if (const int listener = listener_of(number); listener >= 0) {
      respond_to(listener, id, 0, ENOSYS, 0);
    }
  });
}

/// An agent for each pool's namespace, by its inode.
struct NodeAgent::Pools {
  std::shared_ptr<InFlight> calls;
  std::map<std::uint64_t, std::unique_ptr<Agent>> agents;
};

NodeAgent::NodeAgent(const CallTable& table) : pools_(new Pools{table.calls_, {}}) {}
NodeAgent::~NodeAgent() = default;

Result<void> NodeAgent::add(std::uint32_t number, UniqueFd listener, const EnforceSpec& spec,
                            const std::string& netns_path) {
  const Result<pb_endpoint> endpoint = to_policy(spec);
  if (!endpoint) {
    return fail(endpoint.error());
  }
  if (spec.policy == Policy::audit) {
    return fail(Error::of(Errc::unsupported, "enforce a container with policy audit"));
  }
  const Result<NetNs> netns = NetNs::open_path(netns_path);
  if (!netns) {
    return fail(netns.error());
  }
  const Result<std::uint64_t> inode = netns->inode();
  if (!inode) {
    return fail(inode.error());
  }
  // Those of pools that may be gone, whose inode another one may have now.
  std::erase_if(pools_->agents, [](const auto& pool) { return pool.second->size() == 0; });
  std::unique_ptr<Agent>& agent = pools_->agents[*inode];
  if (agent == nullptr) {
    Result<std::unique_ptr<Agent>> started = Agent::start(*netns, pools_->calls);
    if (!started) {
      pools_->agents.erase(*inode);
      return fail(started.error());
    }
    agent = *std::move(started);
  }
  return agent->add(number, std::move(listener), *endpoint);
}

}  // namespace particle::bind
