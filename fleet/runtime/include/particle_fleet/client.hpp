// SPDX-License-Identifier: Apache-2.0
/// `Client`: drives jobs through a `particle fleet agent`, which places their instances on the fleet's
/// nodes. The protocol is lines of JSON (docs/fleet.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <particle_fleet/job.hpp>

namespace particle::fleet {

struct NodeStatus {
  std::string name;
  std::string address;  ///< of its agent, as "10.9.0.2:4790"; empty for the agent that answers
  bool alive = false;
  std::uint64_t instances = 0;       ///< alive there
  std::uint64_t free_endpoints = 0;  ///< of the pool asked for
  std::string problem;               ///< why it is not alive, or has not that pool
};

struct JobStatus {
  std::string id;
  std::string pool;
  std::chrono::system_clock::time_point since;
  std::uint64_t queued = 0, running = 0, done = 0, failed = 0;
  bool finished = false;
};

/// One connection to an agent. Threads: members may be called concurrently.
class Client {
 public:
  /// `agent`: a UNIX socket's path. Errors: not_found with how to start an agent.
  static Result<Client> connect(const std::string& agent);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  [[nodiscard]] Result<std::unique_ptr<RunningJob>> start(const JobSpec& job,
                                                          JobObserver& observer);
  [[nodiscard]] Result<std::vector<NodeStatus>> nodes(const std::string& pool);
  [[nodiscard]] Result<std::vector<JobStatus>> jobs();
  /// Errors: not_found.
  [[nodiscard]] Result<void> kill(const std::string& job);
  /// What the instances of a job wrote, kept by the agent up to a limit per instance; also of the last
  /// jobs that ended. Errors: not_found.
  [[nodiscard]] Result<void> logs(const std::string& job,
                                  const std::function<void(std::uint64_t instance, Stream stream,
                                                           std::string_view bytes)>& take);
  [[nodiscard]] Result<std::vector<Event>> events(const std::string& job);

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace particle::fleet
