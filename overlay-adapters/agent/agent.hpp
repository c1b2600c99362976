// SPDX-License-Identifier: Apache-2.0
/// The agent: one adapter, one node, one loop. Wakes up when this node's pools change, when the adapter
/// has learnt something, when it is told to, and now and then for what nobody announces (an entry that
/// somebody took out of the kernel).
///
/// It keeps nothing that a kill could lose: what is entered is recorded by libparticle, what is announced
/// follows from this node's pools.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <particle/node.hpp>

#include "overlay-adapters/adapter.hpp"
#include "overlay-adapters/agent/notify.hpp"
#include "overlay-adapters/agent/signals.hpp"
#include "overlay-adapters/reconcile.hpp"

namespace particle::overlay {

enum class Severity : std::uint8_t { debug, info, notice, warning, error };

struct AgentOptions {
  std::string overlay;                       ///< the adapter's name, and the owner of the peers
  std::string node;                          ///< this node's name in the cluster
  std::chrono::milliseconds resync{30'000};  ///< at least this often the kernel is compared
  std::optional<std::string> metrics;        ///< where they are served (metrics_server.hpp)
  std::function<void(Severity, const std::string&)> log;
};

class Agent {
 public:
  /// Takes the node's lock for this overlay: two agents would undo each other's work.
  /// Errors: busy when another agent has it; those of PoolWatch::open and MetricsServer::open.
  static Result<Agent> open(const Node& node, Adapter& adapter, AgentOptions options);
  Agent(Agent&&) noexcept;
  Agent& operator=(Agent&&) noexcept;
  ~Agent();

  /// Tells the adapter of this node's pools, asks it for the others', and enters the difference.
  /// `news_only`: where the adapter says what it said last time, the kernel is not compared.
  /// Errors: when the pools, the peers or the view cannot be had. Then nothing was changed.
  Result<Reconciled> round(bool news_only = false);
  /// The adapter's last view was complete.
  [[nodiscard]] bool complete() const;
  /// Where metrics are served; empty when they are not.
  [[nodiscard]] std::string metrics_address() const;

  /// Rounds until SIGINT or SIGTERM. Failures are logged, counted and tried again.
  /// Errors: when waiting itself fails.
  Result<void> run(Signals& signals, const Notifier& notifier);

 private:
  struct Impl;
  explicit Agent(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Removes every peer that `overlay` keeps on this node. Returns how many there were.
/// Errors: busy while an agent of the overlay runs, which would enter them again.
Result<std::size_t> forget_peers(const Node& node, const std::string& overlay);

}  // namespace particle::overlay
