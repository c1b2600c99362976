// SPDX-License-Identifier: Apache-2.0
/// One node's part in a job, as its coordinator sees it: commands are carried out in order by a thread of
/// its own, so that a slow node holds up nobody else.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <particle_fleet/job.hpp>

namespace particle::fleet {

/// Starts a job on one node: this one's launcher, or another agent's.
using StartJob =
    std::function<Result<std::unique_ptr<RunningJob>>(const JobSpec& job, JobObserver& observer)>;

/// What a share reports. Threads: any.
class ShareListener {
 public:
  virtual ~ShareListener() = default;
  virtual void share_event(const std::string& node, std::uint32_t attempt, Event event) = 0;
  virtual void share_output(const std::string& node, std::uint32_t attempt, std::uint64_t instance,
                            Stream stream, std::string_view bytes) = 0;
  /// These were not started, and will not be.
  virtual void share_refused(const std::string& node, std::uint32_t attempt,
                             const std::vector<InstanceSpec>& instances, const Error& error) = 0;
  virtual void share_lost(const std::string& node, const Error& error) = 0;
};

/// Threads: any.
class NodeShare {
 public:
  /// `job` without retries: those are the coordinator's.
  NodeShare(std::string node, JobSpec job, StartJob start, ShareListener& listener);
  NodeShare(const NodeShare&) = delete;
  NodeShare& operator=(const NodeShare&) = delete;
  ~NodeShare();

  /// Starts the part for first attempts and waits for it. Errors: the node's.
  Result<void> open();
  void add(std::uint32_t attempt, std::vector<InstanceSpec> instances);
  void send(std::uint32_t attempt, std::uint64_t instance, std::string bytes);
  void close_input(std::uint32_t attempt, std::uint64_t instance);
  void signal(std::uint32_t attempt, std::uint64_t instance, int number);
  /// Ends all that runs, without waiting for what was asked before.
  void kill();

 private:
  /// The job of one attempt: an instance that is tried again on the same node is another one there.
  struct Part;
  Result<Part*> part(std::uint32_t attempt);
  Part* existing(std::uint32_t attempt);
  void post(std::function<void()> command);
  void work();

  std::string node_;
  JobSpec job_;
  StartJob start_;
  ShareListener& listener_;
  std::mutex parts_mutex_;
  std::map<std::uint32_t, std::unique_ptr<Part>> parts_;
  bool killed_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> commands_;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace particle::fleet
