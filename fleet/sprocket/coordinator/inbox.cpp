// SPDX-License-Identifier: Apache-2.0
#include "coordinator/inbox.hpp"

#include <utility>

namespace particle::sprocket {

void Inbox::on_event(const fleet::Event& event) {
  put(event);
}

void Inbox::on_output(std::uint64_t instance, fleet::Stream stream, std::string_view bytes) {
  put(Wrote{instance, stream, std::string(bytes)});
}

void Inbox::on_lost(const Error& error) {
  put(error);
}

void Inbox::put(Report report) {
  const std::lock_guard lock(mutex_);
  reports_.push_back(std::move(report));
  arrived_.notify_one();
}

std::deque<Report> Inbox::take(std::stop_token stop, std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  arrived_.wait_until(lock, std::move(stop), until, [&] { return !reports_.empty(); });
  return std::exchange(reports_, {});
}

}  // namespace particle::sprocket
