// SPDX-License-Identifier: Apache-2.0
/// From the filter in the new process to the agent in the one that started it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "policy/policy.h"
#include "seccomp/agent.hpp"
#include "seccomp/filter.hpp"

namespace particle::bind {

class AgentLink {
 public:
  /// Before fork.
  static Result<AgentLink> open(FilterKind kind, const pb_endpoint& endpoint);

  /// In the child: installs the filter and hands the listener over.
  /// `may_share`: another filter's listener is no error, and this one then goes without.
  [[nodiscard]] Result<void> enter(bool may_share) const;
  /// In the parent: waits for the listener and starts the agent. Nothing to do when the child died
  /// first or goes without.
  [[nodiscard]] Result<void> supervise(std::function<void()> on_start,
                                       std::function<void()> on_end);
  void stop() { agent_.reset(); }
  [[nodiscard]] std::vector<std::string> take_log() {
    return agent_ == nullptr ? std::vector<std::string>{} : agent_->take_log();
  }
  [[nodiscard]] int log_fd() const noexcept { return agent_ == nullptr ? -1 : agent_->log_fd(); }

 private:
  FilterKind kind_ = FilterKind::everything;
  pb_endpoint endpoint_ = {};
  UniqueFd child_end_;
  UniqueFd parent_end_;
  std::unique_ptr<Agent> agent_;
};

}  // namespace particle::bind
