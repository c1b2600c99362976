// SPDX-License-Identifier: Apache-2.0
/// `LeaseStore`: which endpoint of which pool is held by whom, in one SQLite file per node.
///
/// It knows indices, not addresses: the caller turns the one into the other.
/// Threads: an object is used by one thread at a time; any number of objects, threads and processes
/// may have the same file open. An object does not survive fork(): open another one in the child.
/// Crashes: kill -9 at any point leaves the state before or after the operation, never between.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/result.hpp>

namespace particle {

/// A process that cannot be mistaken for a later one with the same pid.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< field 22 of /proc/PID/stat: clock ticks since boot
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

/// The process that has this pid now; nullopt when there is none (a zombie counts as gone) or when
/// /proc does not show it.
std::optional<ProcessId> identify_process(pid_t pid);
/// False only when the process is certainly gone.
bool alive(ProcessId process);

struct LeaseRow {
  std::string pool;
  std::uint64_t index = 0;
  std::string holder;
  std::chrono::system_clock::time_point since;
  std::optional<ProcessId> process;
};

struct TakeRequest {
  std::string pool;
  std::string holder;
  std::uint64_t count = 1;             ///< all or nothing
  std::uint64_t first_index = 0;       ///< the lowest index that may be leased
  std::uint64_t capacity = 0;          ///< one past the highest
  std::optional<std::uint64_t> index;  ///< this one; count must be 1
  /// The pool's present cool-down. A rest recorded as longer than this, counted from now, is cut
  /// to it: the setting was longer then, or the clock was another (a time namespace's).
  std::chrono::milliseconds cooldown = std::chrono::milliseconds::max();
  std::optional<ProcessId> process;
};

/// Why a take was refused, for callers that wait or that speak in addresses.
struct TakeRefusal {
  std::optional<std::uint64_t> index;  ///< the named one
  std::string holder;                  ///< who holds it; empty when it only rests
  std::optional<std::chrono::nanoseconds>
      wait;  ///< when cooling is the only obstacle: try again after this
};

struct Usage {
  std::uint64_t leased = 0;
  std::uint64_t cooling = 0;
  friend bool operator==(const Usage&, const Usage&) = default;
};

class LeaseStore {
 public:
  /// Nanoseconds on a clock that never goes back. Unset: CLOCK_BOOTTIME.
  using Clock = std::function<std::chrono::nanoseconds()>;

  /// Makes the file and its tables when they are missing.
  /// Errors (of every member): corrupt_state (damaged, or of a newer version), permission_denied,
  /// busy (locked for 10 s), exhausted (disk full), io. Nothing is changed by what fails.
  static Result<LeaseStore> open(const std::string& path, Clock clock = {});
  /// As open(), but nullopt when nothing was ever stored: reading never creates.
  static Result<std::optional<LeaseStore>> open_existing(const std::string& path, Clock clock = {});

  LeaseStore(LeaseStore&&) noexcept;
  LeaseStore& operator=(LeaseStore&&) noexcept;
  ~LeaseStore();

  /// Leases `count` endpoints: never-used ones first, in order, then those that have rested
  /// longest. O(log N) each.
  /// Idempotence: a named index that this holder has already is returned as it is (bound to
  /// `process` when that is given).
  /// Errors: exhausted; busy (the named one is held or rests, or waiting would help: see
  /// `refusal`); invalid_argument (index outside the pool, no count, empty name).
  [[nodiscard]] Result<std::vector<LeaseRow>> take(const TakeRequest& request,
                                                   TakeRefusal* refusal = nullptr);

  /// Gives back all that `holder` has in `pool`, or the one at `index`; returns what was given
  /// back. `left`, where given, gets the number of leases that the pool has then.
  [[nodiscard]] Result<std::vector<LeaseRow>> release(const std::string& pool,
                                                      const std::string& holder,
                                                      std::optional<std::uint64_t> index,
                                                      std::chrono::milliseconds cooldown,
                                                      std::uint64_t* left = nullptr);

  /// Ordered by pool and index.
  [[nodiscard]] Result<std::vector<LeaseRow>> list(const std::optional<std::string>& pool = {},
                                                   const std::optional<std::string>& holder = {});
  [[nodiscard]] Result<Usage> usage(const std::string& pool);
  /// Until the next resting endpoint may be leased (zero: now); nullopt when none rests.
  [[nodiscard]] Result<std::optional<std::chrono::nanoseconds>> next_cooled(
      const std::string& pool);
  /// The highest leased index.
  [[nodiscard]] Result<std::optional<std::uint64_t>> highest(const std::string& pool);
  /// Drops every lease and every rest from `from_index` on: those endpoints are as never used.
  /// Returns the number of leases dropped.
  [[nodiscard]] Result<std::uint64_t> forget(const std::string& pool, std::uint64_t from_index);

 private:
  struct Impl;
  explicit LeaseStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace particle
