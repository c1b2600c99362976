// SPDX-License-Identifier: Apache-2.0
/// What `fleet run` does with the news of its job: sums them up, keeps events, passes output on.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <particle_fleet/job.hpp>

#include "fleet/tally.hpp"

namespace particle::cli {

/// Threads: any.
class JobWatch final : public fleet::JobObserver {
 public:
  /// `several`: lines get `[INSTANCE]` before them. `quiet`: output is kept for keep_output() instead.
  JobWatch(std::uint32_t retries, bool several, bool quiet, bool keep_events)
      : tally_(retries), several_(several), quiet_(quiet), keep_events_(keep_events) {}

  void on_event(const fleet::Event& event) override;
  void on_output(std::uint64_t instance, fleet::Stream stream, std::string_view bytes) override;
  void on_lost(const Error& error) override;

  struct Progress {
    std::uint64_t started, ended, failed;
  };
  [[nodiscard]] Progress progress() const;
  /// After the job has ended: lines that have no end yet.
  void flush();
  [[nodiscard]] const Tally& tally() const noexcept { return tally_; }
  [[nodiscard]] const std::vector<fleet::Event>& events() const noexcept { return events_; }
  /// What an instance wrote, the first 64 KiB of each stream, when `quiet`.
  [[nodiscard]] std::string output_of(std::uint64_t instance, fleet::Stream stream) const;
  /// The end of what its last attempt wrote to stderr, 4 KiB at most.
  [[nodiscard]] std::string last_errors_of(std::uint64_t instance) const;

 private:
  using Source = std::pair<std::uint64_t, fleet::Stream>;
  void print_lines(Source source, std::string& held, bool all);

  mutable std::mutex mutex_;
  Tally tally_;
  bool several_, quiet_, keep_events_;
  std::vector<fleet::Event> events_;
  std::map<Source, std::string> held_;
  std::map<std::uint64_t, std::string> last_errors_;
};

}  // namespace particle::cli
