// SPDX-License-Identifier: Apache-2.0
/// The notifications that an agent has received and not answered yet, in memory that outlives it: a
/// caller whose agent dies in between would wait for ever, and nobody else could tell which one it is.
///
/// The kernel writes a notification straight into its entry, so that there is no moment at which it was
/// received and is not in here.
/// Threads: every member may be called concurrently, from every process that shares the memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <linux/seccomp.h>

#include <particle/result.hpp>

namespace particle::bind {

class InFlight {
 public:
  struct Entry {
    std::atomic<bool> taken = false;
    std::atomic<std::uint32_t> listener = 0;  ///< its number; 0: nothing is in flight
    seccomp_notif notification = {};          ///< id 0: not received yet
  };

  /// Shared with whoever is forked later.
  static Result<InFlight> make();
  InFlight(InFlight&& other) noexcept;
  InFlight& operator=(InFlight&&) = delete;
  ~InFlight();

  /// Nobody else's until it is given back; null when all are taken.
  Entry* take();
  static void give_back(Entry* entry);

  /// For each notification that is in flight; for when its agent is dead. Everything is free after.
  void abandon(const std::function<void(std::uint32_t listener, std::uint64_t id)>& each);

 private:
  explicit InFlight(Entry* entries) : entries_(entries) {}
  Entry* entries_;
};

}  // namespace particle::bind
