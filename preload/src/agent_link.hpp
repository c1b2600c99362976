// SPDX-License-Identifier: Apache-2.0
/// From the filter in the new process to the agent in the one that started it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "policy/policy.h"
#include "seccomp/agent.hpp"
#include "seccomp/filter.hpp"

namespace particle::bind {

/// What the agent has to say, until somebody reads it. Threads: any.
class AgentLog {
 public:
  static Result<std::shared_ptr<AgentLog>> open();
  /// Over a thousand lines that nobody reads the rest is lost.
  void add(std::string line);
  std::vector<std::string> take();
  /// Readable when take() has something to say.
  [[nodiscard]] int fd() const noexcept { return ready_.get(); }

 private:
  UniqueFd ready_;
  std::mutex lock_;
  std::vector<std::string> lines_;
};

class AgentLink {
 public:
  /// Before fork.
  static Result<AgentLink> open(FilterKind kind, const pb_endpoint& endpoint);

  /// In the child: installs the filter and hands the listener over.
  /// `may_share`: another filter's listener is no error, and this one then goes without.
  [[nodiscard]] Result<void> enter(bool may_share) const;
  /// In the parent: waits for the listener and starts the agent. Nothing to do when the child died
  /// first or goes without.
  [[nodiscard]] Result<void> supervise();
  void stop() { agent_.reset(); }
  [[nodiscard]] std::vector<std::string> take_log() { return log_->take(); }
  [[nodiscard]] int log_fd() const noexcept { return log_->fd(); }

 private:
  FilterKind kind_ = FilterKind::everything;
  pb_endpoint endpoint_ = {};
  UniqueFd child_end_;
  UniqueFd parent_end_;
  std::shared_ptr<AgentLog> log_;
  std::shared_ptr<InFlight> in_flight_;
  std::unique_ptr<Agent> agent_;
};

}  // namespace particle::bind
