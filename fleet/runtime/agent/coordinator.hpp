// SPDX-License-Identifier: Apache-2.0
/// A job over several nodes: a RunningJob that is made of one on each.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/node_share.hpp"
#include "agent/schedule.hpp"
#include "wire/observer_queue.hpp"

namespace particle::fleet {

/// A node that can take part in a job.
struct Participant {
  std::string name;
  std::uint64_t room = 0;  ///< free endpoints of the pool
  StartJob start;
};

/// Threads: any.
class Coordinator final : public RunningJob, private ShareListener {
 public:
  /// Starts the job on every participant, at the same time. Those where that fails take no part; `left_out`
  /// gets their errors. Errors: that of the first participant when it fails on all.
  static Result<std::unique_ptr<Coordinator>> start(const JobSpec& job, const std::string& self,
                                                    std::vector<Participant> participants,
                                                    JobObserver& observer,
                                                    std::vector<std::string>& left_out);
  ~Coordinator() override;

  Result<void> add(std::vector<InstanceSpec> instances) override;
  Result<void> send(std::uint64_t instance, std::string_view bytes) override;
  Result<void> close_input(std::uint64_t instance) override;
  Result<void> signal(std::uint64_t instance, int number) override;
  Result<void> finish() override;
  void kill() override;
  Result<void> wait() override;

 private:
  Coordinator(const JobSpec& job, const std::string& self, JobObserver& observer);
  void share_event(const std::string& node, std::uint32_t attempt, Event event) override;
  void share_output(const std::string& node, std::uint32_t attempt, std::uint64_t instance,
                    Stream stream, std::string_view bytes) override;
  void share_refused(const std::string& node, std::uint32_t attempt,
                     const std::vector<InstanceSpec>& instances, const Error& error) override;
  void share_lost(const std::string& node, const Error& error) override;
  /// Carries out what the schedule has decided. Call with mutex_ held.
  void act();
  [[nodiscard]] Result<Schedule::Place> find(std::uint64_t instance) const;

  std::mutex mutex_;
  Schedule schedule_;
  bool ended_ = false;
  ObserverQueue queue_;
  std::map<std::string, std::unique_ptr<NodeShare>> shares_;  ///< complete once start() returns
};

}  // namespace particle::fleet
