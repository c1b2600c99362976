// SPDX-License-Identifier: Apache-2.0
/// The bind enforcer by seccomp for a job's instances: one agent decides the calls of all of them. It lives in
/// this process, which the instances do not outlive, and nobody else holds their listeners: with it gone
/// their calls fail.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <particle/node.hpp>
#include <particle/unique_fd.hpp>
#include <particle_bind/agent.hpp>

namespace particle::fleet {

/// Threads: one at a time; it has one of its own, and those of bind::NodeAgent.
class BindAgent {
 public:
  /// Errors: exhausted (no descriptor, no thread).
  static Result<std::unique_ptr<BindAgent>> start(const Node& node);
  BindAgent(const BindAgent&) = delete;
  BindAgent& operator=(const BindAgent&) = delete;
  /// To be called when all instances have ended.
  ~BindAgent();

  /// What the spawner's instances send their listeners to.
  [[nodiscard]] int listeners() const { return theirs_.get(); }
  /// The instance `token` is about to start with this lease.
  void expect(std::uint64_t token, const Lease& lease);
  void forget(std::uint64_t token);

 private:
  BindAgent(const Node& node, bind::CallTable table, UniqueFd ours, UniqueFd theirs);
  void serve();
  void take_on(std::uint64_t token, UniqueFd listener);

  const Node& node_;
  bind::CallTable table_;
  bind::NodeAgent agent_;  ///< the thread's
  std::uint32_t last_number_ = 0;
  UniqueFd ours_, theirs_;
  std::mutex lock_;
  std::map<std::uint64_t, Lease> expected_;
  std::thread thread_;
};

}  // namespace particle::fleet
