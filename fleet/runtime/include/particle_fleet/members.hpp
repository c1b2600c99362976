// SPDX-License-Identifier: Apache-2.0
/// `Members`: the nodes of a fleet through etcd. An agent registers its name and address under a lease, and
/// learns of the others; those that die leave when their lease ends.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <particle_fleet/agent.hpp>

namespace particle::fleet {

struct MembersOptions {
  std::string name;     ///< this node's, unique in the fleet
  std::string address;  ///< where the other agents reach it
  std::string node_id;  ///< Node::id()
  /// "etcd-endpoints" and so on: those of overlay etcd, by name.
  std::map<std::string, std::string> etcd;
  std::function<void(LogLevel, const std::string&)> log;
};

/// Threads: any. While etcd is out of reach the last list holds.
class Members {
 public:
  /// Touches nothing yet. Errors: invalid_argument, with everything that is wrong in details.
  static Result<std::unique_ptr<Members>> open(MembersOptions options);
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  /// leave()
  ~Members();

  /// Registers this node; waits a few seconds for etcd's answer, and goes on trying without one.
  /// Errors: conflict when another agent that lives has the name.
  Result<void> start();
  /// Withdraws this node, if etcd answers soon; the list stays as it is. Idempotent.
  void leave();
  /// Who is there now, this node among them once it is registered.
  [[nodiscard]] std::vector<AgentPeer> peers() const;

 private:
  struct State;
  explicit Members(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace particle::fleet
