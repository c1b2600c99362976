// SPDX-License-Identifier: Apache-2.0
/// A job that an agent runs, driven over a connection.
#pragma once

#include <memory>
#include <string>

#include <particle_fleet/job.hpp>

#include "client/connection.hpp"
#include "wire/observer_queue.hpp"

namespace particle::fleet {

/// Where a job's instances may go: the agent that is asked distributes them over the fleet, or starts
/// them on its own node, as agents ask each other to.
enum class Scope : std::uint8_t { fleet, node };
std::string_view to_string(Scope scope) noexcept;

class RemoteJob final : public RunningJob {
 public:
  static Result<std::unique_ptr<RemoteJob>> start(std::shared_ptr<Connection> connection,
                                                  const JobSpec& job, Scope scope,
                                                  JobObserver& observer);
  ~RemoteJob() override;

  Result<void> add(std::vector<InstanceSpec> instances) override;
  Result<void> send(std::uint64_t instance, std::string_view bytes) override;
  Result<void> close_input(std::uint64_t instance) override;
  Result<void> signal(std::uint64_t instance, int number) override;
  Result<void> finish() override;
  void kill() override;
  Result<void> wait() override;

 private:
  RemoteJob(std::shared_ptr<Connection> connection, std::string id, JobObserver& observer);
  Result<void> ask(Json request);
  void take_notice(const Json& line);

  std::shared_ptr<Connection> connection_;
  std::string id_;
  ObserverQueue queue_;
};

}  // namespace particle::fleet
