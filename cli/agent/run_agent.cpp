// SPDX-License-Identifier: Apache-2.0
#include "agent/run_agent.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <poll.h>

#include <particle/node.hpp>

#include "agent/agent_log.hpp"
#include "agent/agent_report.hpp"
#include "exit_codes.hpp"
#include "node_access.hpp"
#include "overlay-adapters/agent/agent.hpp"

namespace particle::cli {
namespace {

using overlay::Adapter;
using overlay::Agent;
using overlay::Reconciled;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{100};

/// Rounds until the overlay has told all there is, or the time is over.
Result<Reconciled> settle(Agent& agent, Adapter& adapter, const AgentRequest& request) {
  const auto deadline = Clock::now() + request.wait;
  std::vector<overlay::TenantDifference> earlier;
  for (;;) {
    auto done = agent.round();
    // A source that does not change by itself will say the same again.
    const bool final = !adapter.capabilities().live || (done && agent.complete());
    if (final || Clock::now() > deadline) {
      if (!done) return fail(std::move(done.error()));
      auto& tenants = done->difference.tenants;
      tenants.insert(tenants.begin(), earlier.begin(), earlier.end());
      return done;
    }
    if (done) {
      const auto& some = done->difference.tenants;
      earlier.insert(earlier.end(), some.begin(), some.end());
    }
    pollfd event{.fd = adapter.event_fd(), .events = POLLIN, .revents = 0};
    (void)::poll(&event, 1, static_cast<int>(kPoll.count()));
  }
}

Result<int> run_once(const Context& context, Agent& agent, Adapter& adapter,
                     const AgentRequest& request) {
  auto done = settle(agent, adapter, request);
  if (!done) return fail(std::move(done.error()));
  const overlay::Health health = adapter.health();
  print_reconciled(context, request, *done, health);
  if (!done->errors.empty()) return exit_code_of(done->errors.front().kind());
  if (!done->difference.refused.empty()) return kExitConflict;
  return agent.complete() && health.state == overlay::HealthState::ok ? kExitOk : kExitState;
}

/// The peers here, and what this node has announced: an adapter that is told of no pool withdraws all.
Result<int> run_forget(const Context& context, const Node& node, const AgentRequest& request) {
  auto count = overlay::forget_peers(node, request.overlay);
  if (!count) return fail(std::move(count.error()));
  const auto adapter = overlay::make_adapter(
      request.overlay, {.node = request.node, .node_id = node.id(), .settings = request.settings});
  // Without its settings nobody can be told; the peers are gone all the same.
  if (adapter) {
    if (auto ok = (*adapter)->announced_all(); !ok) return fail(std::move(ok.error()));
  }
  print_forgotten(context, request, *count);
  return kExitOk;
}

}  // namespace

Result<int> run_agent(Context& context, const AgentRequest& request) {
  auto notifier = overlay::Notifier::from_environment();
  auto node = open_node(context);
  if (!node) return fail(std::move(node.error()));
  if (request.forget) return run_forget(context, *node, request);
  // Before the adapter, whose threads inherit the mask.
  auto signals = overlay::Signals::open();
  if (!signals) return fail(std::move(signals.error()));
  auto adapter = overlay::make_adapter(
      request.overlay, {.node = request.node, .node_id = node->id(), .settings = request.settings});
  if (!adapter) return fail(std::move(adapter.error()));
  overlay::AgentOptions options{.overlay = request.overlay,
                                .node = request.node,
                                .resync = request.resync,
                                .metrics = request.metrics,
                                .log = {}};
  if (!request.once) options.log = open_agent_log(context.verbosity);
  auto agent = Agent::open(*node, **adapter, options);
  if (!agent) return fail(std::move(agent.error()));
  if (request.once) return run_once(context, *agent, **adapter, request);
  if (!agent->metrics_address().empty())
    options.log(overlay::Severity::info, "metrics at " + agent->metrics_address());
  if (auto ok = agent->run(*signals, notifier); !ok) return fail(std::move(ok.error()));
  return kExitOk;
}

}  // namespace particle::cli
