// SPDX-License-Identifier: Apache-2.0
/// A job of a session: what happens to it is written to the connection, and kept.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "agent/job_record.hpp"
#include "agent/session.hpp"

namespace particle::fleet {

struct Session::Job final : JobObserver {
 public:
  Job(Channel& channel, std::string id) : channel_(channel), id_(std::move(id)) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  /// Kills it and waits until it has ended.
  ~Job() override;

  /// Enters it into the agent's list. Errors: already_exists.
  Result<void> enter(JobRegistry& registry, const JobSpec& job);
  /// From now on it runs, and its end is reported.
  void begin(std::unique_ptr<RunningJob> running);
  [[nodiscard]] RunningJob& running() noexcept { return *running_; }

  void on_event(const Event& event) override;
  void on_output(std::uint64_t instance, Stream stream, std::string_view bytes) override;
  void on_lost(const Error& error) override;

 private:
  void write(Json notice);

  Channel& channel_;
  std::string id_;
  JobRegistry* registry_ = nullptr;
  std::shared_ptr<JobRecord> record_;
  std::mutex mutex_;  ///< of running_, which others kill through the registry
  bool dying_ = false;
  std::unique_ptr<RunningJob> running_;
  std::thread waiter_;
};

}  // namespace particle::fleet
