// SPDX-License-Identifier: Apache-2.0
/// The agent: decides the calls that a filter hands over, on copies, and acts on duplicates of the
/// caller's sockets. When it dies the kernel fails those calls with ENOSYS: nothing gets through.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <linux/seccomp.h>

#include <particle/netns.hpp>
#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "policy/policy.h"

namespace particle::bind {

struct AgentSpec {
  UniqueFd listener;
  NetNs netns;  ///< the endpoint's
  pb_endpoint endpoint = {};
  /// Called on the agent's thread before the first and after the last notification.
  std::function<void()> on_start = [] {};
  std::function<void()> on_end = [] {};
};

/// One endpoint's agent, on a thread of its own.
class Agent {
 public:
  static Result<std::unique_ptr<Agent>> start(AgentSpec spec);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent();

  std::vector<std::string> take_log();
  [[nodiscard]] int log_fd() const noexcept { return log_ready_.get(); }

 private:
  explicit Agent(AgentSpec spec) : spec_(std::move(spec)) {}
  void serve();
  void log(std::string line);

  AgentSpec spec_;
  UniqueFd wake_;
  UniqueFd log_ready_;
  std::mutex log_lock_;
  std::vector<std::string> log_;
  std::thread thread_;
};

}  // namespace particle::bind
