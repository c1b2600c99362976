// SPDX-License-Identifier: Apache-2.0
/// One job over several nodes of one machine, each with a job of its own behind it: what agents do, without
/// agents, so that ways of starting instances can be compared.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <particle_fleet/job.hpp>

namespace particle::bench {

/// The jobs of several nodes call from threads of their own; an observer hears one at a time.
class OneAtATime final : public fleet::JobObserver {
 public:
  explicit OneAtATime(fleet::JobObserver& observer) : observer_(observer) {}
  void on_event(const fleet::Event& event) override;
  void on_output(std::uint64_t instance, fleet::Stream stream, std::string_view bytes) override;
  void on_lost(const Error& error) override;

 private:
  std::mutex mutex_;
  fleet::JobObserver& observer_;
};

/// Changes an instance before node `number` gets it.
using Adapt = std::function<void(fleet::InstanceSpec& instance, std::size_t number)>;
/// Starts node `number`'s part.
using StartPart = std::function<Result<std::unique_ptr<fleet::RunningJob>>(
    std::size_t number, fleet::JobObserver& observer)>;

/// Instances go to the node that they name as "0", "1" and so on.
class SpreadJob final : public fleet::RunningJob {
 public:
  static Result<std::unique_ptr<fleet::RunningJob>> start(std::size_t nodes, const StartPart& start,
                                                          const Adapt& adapt,
                                                          fleet::JobObserver& observer);
  SpreadJob(fleet::JobObserver& observer, Adapt adapt)
      : observer_(observer), adapt_(std::move(adapt)) {}
  Result<void> add(std::vector<fleet::InstanceSpec> instances) override;
  Result<void> send(std::uint64_t instance, std::string_view bytes) override;
  Result<void> close_input(std::uint64_t instance) override;
  Result<void> signal(std::uint64_t instance, int number) override;
  Result<void> finish() override;
  void kill() override;
  Result<void> wait() override;

 private:
  fleet::RunningJob& part_of(std::uint64_t instance);

  OneAtATime observer_;
  Adapt adapt_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::size_t> where_;
  std::vector<std::unique_ptr<fleet::RunningJob>> parts_;  // last: they call the observer
};

}  // namespace particle::bench
