// SPDX-License-Identifier: Apache-2.0
/// What a job's threads say, kept for the coordinator's one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <variant>

#include <particle_fleet/job.hpp>

namespace particle::sprocket {

struct Wrote {
  std::uint64_t instance = 0;
  fleet::Stream stream = fleet::Stream::output;
  std::string bytes;
};
using Report = std::variant<fleet::Event, Wrote, Error>;

class Inbox final : public fleet::JobObserver {
 public:
  void on_event(const fleet::Event& event) override;
  void on_output(std::uint64_t instance, fleet::Stream stream, std::string_view bytes) override;
  void on_lost(const Error& error) override;

  /// All that has come, at the latest at `until` or when a stop is requested.
  std::deque<Report> take(std::stop_token stop, std::chrono::steady_clock::time_point until);

 private:
  void put(Report report);
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::deque<Report> reports_;
};

}  // namespace particle::sprocket
