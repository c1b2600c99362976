// SPDX-License-Identifier: Apache-2.0
#include "wire/channel.hpp"

#include <array>
#include <chrono>
#include <utility>

namespace particle::fleet {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostQueued = 64U << 20;
constexpr auto kWritePatience = 30s;
constexpr auto kDrain = 2s;
constexpr std::size_t kReadSize = 64U << 10;

}  // namespace

Result<void> LineCutter::feed(std::string_view bytes,
                              const std::function<void(std::string_view)>& take) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (held_.size() + part.size() > longest_) {
      return fail(Error::of(Errc::protocol,
                            "a line is longer than " + std::to_string(longest_) + " bytes"));
    }
    if (end == std::string_view::npos) {
      held_ += part;
      return {};
    }
    if (held_.empty()) {
      take(part);
    } else {
      held_ += part;
      const std::string line = std::exchange(held_, {});
      take(line);
    }
    bytes.remove_prefix(end + 1);
  }
  return {};
}

Channel::Channel(std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)), sender_([this] { send_queued(); }) {}

Channel::~Channel() {
  stop();
  sender_.join();
}

Result<void> Channel::write(std::string_view line) {
  std::unique_lock lock(mutex_);
  const bool room = changed_.wait_for(lock, kWritePatience,
                                      [&] { return stopped_ || queue_.size() < kMostQueued; });
  if (!room) {
    lock.unlock();
    stop();
    return fail(Error::of(Errc::io, "the other side has taken nothing for half a minute"));
  }
  if (stopped_) return fail(Error::of(Errc::io, "the connection is closed"));
  queue_ += line;
  queue_ += '\n';
  changed_.notify_all();
  return {};
}

bool Channel::take_queued(std::string& out) {
  std::unique_lock lock(mutex_);
  sending_ = false;
  changed_.notify_all();
  changed_.wait(lock, [&] { return stopped_ || !queue_.empty(); });
  if (stopped_) return false;
  out.clear();
  out.swap(queue_);
  sending_ = true;
  changed_.notify_all();
  return true;
}

void Channel::send_queued() {
  std::string bytes;
  while (take_queued(bytes)) {
    // Why it failed is what the reader finds out, too.
    if (!transport_->write(bytes)) return stop();
  }
}

Result<void> Channel::read_lines(const std::function<void(std::string_view)>& take) {
  LineCutter cutter;
  std::array<char, kReadSize> piece{};
  while (true) {
    const auto n = transport_->read(piece);
    if (!n) return fail(n.error());
    if (*n == 0) {
      if (cutter.in_a_line()) return fail(Error::of(Errc::protocol, "the last line was cut off"));
      return {};
    }
    if (auto ok = cutter.feed({piece.data(), *n}, take); !ok) return ok;
  }
}

void Channel::stop() {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return;
  stopped_ = true;
  transport_->stop();
  changed_.notify_all();
}

void Channel::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kDrain, [&] { return stopped_ || (queue_.empty() && !sending_); });
}

}  // namespace particle::fleet
