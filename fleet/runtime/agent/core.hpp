// SPDX-License-Identifier: Apache-2.0
/// What the sessions of an agent share.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <particle_fleet/agent.hpp>
#include <particle_fleet/client.hpp>

#include "agent/job_record.hpp"
#include "agent/node_share.hpp"
#include "client/connection.hpp"
#include "wire/tls.hpp"

namespace particle::fleet {

/// Threads: any.
class AgentCore {
 public:
  /// `tls`: with which the other agents are spoken to; unset: in the clear.
  AgentCore(std::unique_ptr<NodeRuntime> runtime, AgentOptions options, std::optional<Tls> tls)
      : runtime_(std::move(runtime)), options_(std::move(options)), tls_(std::move(tls)) {}

  [[nodiscard]] const std::string& name() const noexcept { return options_.name; }
  [[nodiscard]] JobRegistry& jobs() noexcept { return registry_; }
  void log(LogLevel level, const std::string& text) const;

  /// This node alone.
  [[nodiscard]] NodeStatus status(const std::string& pool) const;
  /// A job here, whose instances are counted.
  Result<std::unique_ptr<RunningJob>> start_here(const JobSpec& job, JobObserver& observer);

  /// A node of the fleet that was asked; with its connection when it answered.
  struct Member {
    NodeStatus status;
    std::shared_ptr<Connection> connection;  ///< unset for this node
  };
  /// This node and its peers, asked at the same time. Errors: those of AgentOptions::peers.
  Result<std::vector<Member>> ask_all(const std::string& pool);
  [[nodiscard]] StartJob starter_of(const Member& member);

 private:
  class Counter;
  std::unique_ptr<NodeRuntime> runtime_;
  AgentOptions options_;
  std::optional<Tls> tls_;
  JobRegistry registry_;
  std::atomic<std::uint64_t> instances_ = 0;
};

}  // namespace particle::fleet
