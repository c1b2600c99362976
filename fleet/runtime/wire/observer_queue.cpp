// SPDX-License-Identifier: Apache-2.0
#include "wire/observer_queue.hpp"

#include <chrono>
#include <utility>

namespace particle::fleet {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostOutput = 64U << 20;
constexpr auto kQueuePatience = 30s;

}  // namespace

ObserverQueue::ObserverQueue(JobObserver& observer)
    : observer_(observer), thread_([this] { deliver(); }) {}

ObserverQueue::~ObserverQueue() {
  push_end();
  thread_.join();
}

void ObserverQueue::push(Event event) {
  const std::scoped_lock lock(mutex_);
  push_item(std::move(event));
}

void ObserverQueue::push(std::uint64_t instance, Stream stream, std::string bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kQueuePatience,
                    [&] { return closed_ || calls_ > 0 || output_bytes_ < kMostOutput; });
  output_bytes_ += bytes.size();
  push_item(Output{instance, stream, std::move(bytes)});
}

void ObserverQueue::push_lost(Error error) {
  const std::scoped_lock lock(mutex_);
  push_item(std::move(error));
  closed_ = true;
}

void ObserverQueue::push_end() {
  const std::scoped_lock lock(mutex_);
  push_item(End{});
  closed_ = true;
}

Result<void> ObserverQueue::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return over_; });
  return verdict_;
}

void ObserverQueue::begin_call() {
  const std::scoped_lock lock(mutex_);
  ++calls_;
  changed_.notify_all();
}

void ObserverQueue::end_call() {
  const std::scoped_lock lock(mutex_);
  --calls_;
}

void ObserverQueue::push_item(Item item) {
  if (closed_) return;
  items_.push_back(std::move(item));
  changed_.notify_all();
}

bool ObserverQueue::deliver_one(Item& item) {
  if (auto* event = std::get_if<Event>(&item)) {
    observer_.on_event(*event);
  } else if (auto* output = std::get_if<Output>(&item)) {
    observer_.on_output(output->instance, output->stream, output->bytes);
    const std::scoped_lock lock(mutex_);
    output_bytes_ -= output->bytes.size();
    changed_.notify_all();
  } else if (auto* error = std::get_if<Error>(&item)) {
    observer_.on_lost(*error);
    const std::scoped_lock lock(mutex_);
    verdict_ = fail(*error);
    return false;
  } else {
    return false;
  }
  return true;
}

void ObserverQueue::deliver() {
  for (bool more = true; more;) {
    std::deque<Item> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !items_.empty(); });
      batch.swap(items_);
    }
    for (Item& item : batch) {
      if (more) more = deliver_one(item);
    }
  }
  const std::scoped_lock lock(mutex_);
  over_ = true;
  changed_.notify_all();
}

}  // namespace particle::fleet
