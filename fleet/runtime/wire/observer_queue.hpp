// SPDX-License-Identifier: Apache-2.0
/// Brings what happens to an observer, in order, from a thread of its own: whoever hears of it first
/// never waits for an observer, and an observer may call the job that it watches.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <variant>

#include <particle_fleet/job.hpp>

namespace particle::fleet {

/// Threads: any.
class ObserverQueue {
 public:
  explicit ObserverQueue(JobObserver& observer);
  ObserverQueue(const ObserverQueue&) = delete;
  ObserverQueue& operator=(const ObserverQueue&) = delete;
  /// What was pushed reaches the observer before the destructor returns.
  ~ObserverQueue();

  void push(Event event);
  /// Waits while 64 MiB of output are undelivered, half a minute at most.
  void push(std::uint64_t instance, Stream stream, std::string bytes);
  /// Nothing is delivered after one of these; what is pushed later is dropped.
  void push_lost(Error error);
  void push_end();
  /// Blocks until the end or the loss was delivered. Not from within the observer.
  Result<void> wait();
  /// Around a call in which the observer waits for an answer that arrives behind its output.
  void begin_call();
  void end_call();

 private:
  struct Output {
    std::uint64_t instance;
    Stream stream;
    std::string bytes;
  };
  struct End {};
  using Item = std::variant<Event, Output, Error, End>;

  void push_item(Item item);
  void deliver();
  /// Returns false after the last one.
  bool deliver_one(Item& item);

  JobObserver& observer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::size_t output_bytes_ = 0;
  int calls_ = 0;
  bool closed_ = false;  ///< nothing more is taken
  bool over_ = false;    ///< all was delivered
  Result<void> verdict_;
  std::thread thread_;
};

}  // namespace particle::fleet
