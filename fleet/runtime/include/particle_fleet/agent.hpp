// SPDX-License-Identifier: Apache-2.0
/// `Agent`: one per node. Takes jobs from clients on a UNIX socket, distributes their instances over the
/// fleet, and starts those that other agents send here. docs/fleet.md has the protocol.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <particle_fleet/launcher.hpp>

namespace particle::fleet {

/// Another agent, as its clients name it: "n2=10.9.0.2:4790".
struct AgentPeer {
  std::string name;
  std::string address;  ///< IP:PORT, an IPv6 address in brackets
  /// Errors: invalid_argument.
  static Result<AgentPeer> parse(std::string_view text);
};

/// What starts jobs on an agent's node. Threads: members may be called concurrently.
class NodeRuntime {
 public:
  virtual ~NodeRuntime() = default;
  virtual Result<std::unique_ptr<RunningJob>> start(const JobSpec& job, JobObserver& observer) = 0;
  /// Errors: not_found for the pool.
  virtual Result<std::uint64_t> free_endpoints(const std::string& pool) = 0;
};
/// The usual one.
std::unique_ptr<NodeRuntime> make_runtime(Launcher launcher);

enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct AgentOptions {
  std::string name;    ///< of this node in events and for placement; unique in the fleet
  std::string socket;  ///< for clients of this node: mode 0600
  std::optional<std::string> listen;  ///< IP:PORT for the other agents; unset: a fleet of one node
  /// What all agents of a fleet have, and nobody else: with it they know each other, and what they say is
  /// encrypted. Wanted where there is `listen` or `peers`, unless `no_authentication` is set: then whoever
  /// reaches `listen` runs programs as root here.
  std::optional<std::string> secret_file;
  bool no_authentication = false;
  std::string cluster = "default";  ///< agents of different clusters refuse each other
  /// Asked for whenever a job begins: membership may change.
  std::function<Result<std::vector<AgentPeer>>()> peers;
  std::function<void(LogLevel, const std::string&)> log;
};

class Agent {
 public:
  /// Listens from here on. Errors: already_exists when an agent answers at the socket; invalid_argument
  /// for TCP without a secret and for a secret that is none; those of bind(2).
  static Result<Agent> open(std::unique_ptr<NodeRuntime> runtime, AgentOptions options);
  Agent(Agent&&) noexcept;
  Agent& operator=(Agent&&) noexcept;
  /// Ends all jobs.
  ~Agent();

  /// Serves until `stop` (a descriptor) is readable. Jobs go on.
  Result<void> run(int stop);

 private:
  struct State;
  explicit Agent(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace particle::fleet
