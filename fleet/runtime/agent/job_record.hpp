// SPDX-License-Identifier: Apache-2.0
/// What an agent keeps of a job: its numbers, its events, and the end of what its instances wrote.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <particle_fleet/client.hpp>

namespace particle::fleet {

/// Of each instance's output the last 64 KiB are kept.
inline constexpr std::size_t kLogPerInstance = 64U << 10;
/// Of a job the first 100,000 events.
inline constexpr std::size_t kEventsPerJob = 100'000;

/// Threads: any.
class JobRecord {
 public:
  JobRecord(const JobSpec& job, std::chrono::system_clock::time_point since);

  void take(const Event& event);
  void take(std::uint64_t instance, Stream stream, std::string_view bytes);
  void finish();

  [[nodiscard]] JobStatus status() const;
  [[nodiscard]] std::vector<Event> events() const;
  [[nodiscard]] std::size_t log_bytes() const;
  struct Piece {
    std::uint64_t instance;
    Stream stream;
    std::string bytes;
  };
  /// By instance; within one in the order in which it was written.
  [[nodiscard]] std::vector<Piece> log() const;

 private:
  struct Log {
    std::deque<std::pair<Stream, std::string>> pieces;
    std::size_t bytes = 0;
  };
  enum class Stage : std::uint8_t { queued, running, done };
  void count(const Event& event);

  mutable std::mutex mutex_;
  JobStatus status_;
  std::uint32_t retries_;
  std::map<std::uint64_t, Stage> stages_;
  std::vector<Event> events_;
  std::map<std::uint64_t, Log> logs_;
  std::size_t log_bytes_ = 0;
};

/// The jobs of an agent: the living, and the last that ended. Threads: any.
class JobRegistry {
 public:
  /// Errors: already_exists while a job of that name lives.
  Result<std::shared_ptr<JobRecord>> open(const JobSpec& job, std::function<void()> kill);
  /// The job has ended, and can be killed no more.
  void close(const std::string& job);
  /// Errors: not_found.
  [[nodiscard]] Result<std::shared_ptr<JobRecord>> find(const std::string& job) const;
  Result<void> kill(const std::string& job);
  /// Oldest first.
  [[nodiscard]] std::vector<JobStatus> list() const;

 private:
  struct Entry {
    std::string id;
    std::shared_ptr<JobRecord> record;
    std::function<void()> kill;  ///< unset once it has ended
  };
  [[nodiscard]] const Entry* latest(const std::string& job) const;
  void drop_oldest();

  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
};

}  // namespace particle::fleet
