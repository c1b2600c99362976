// SPDX-License-Identifier: Apache-2.0
#include "fleet/job_watch.hpp"

#include <algorithm>
#include <cstdio>

namespace particle::cli {
namespace {

constexpr std::size_t kMostKept = 64U << 10;
constexpr std::size_t kLongestLine = 64U << 10;  // a longer one is cut in two

/// The end of all that was written.
void keep_last(std::string& kept, std::string_view bytes) {
  constexpr std::size_t kMost = 4096;
  kept += bytes.substr(bytes.size() - std::min(bytes.size(), kMost));
  if (kept.size() > kMost) kept.erase(0, kept.size() - kMost);
}

}  // namespace

void JobWatch::on_event(const fleet::Event& event) {
  const std::scoped_lock lock(mutex_);
  tally_.take(event);
  // The last attempt's words are those that count.
  if (event.phase == fleet::Phase::queued && event.attempt > 0) last_errors_.erase(event.instance);
  if (keep_events_) events_.push_back(event);
}

void JobWatch::on_output(std::uint64_t instance, fleet::Stream stream, std::string_view bytes) {
  const std::scoped_lock lock(mutex_);
  if (stream == fleet::Stream::error) keep_last(last_errors_[instance], bytes);
  if (!quiet_ && !several_) {
    std::FILE* to = stream == fleet::Stream::output ? stdout : stderr;
    std::fwrite(bytes.data(), 1, bytes.size(), to);
    std::fflush(to);
    return;
  }
  std::string& held = held_[{instance, stream}];
  if (quiet_) {
    held += bytes.substr(0, kMostKept - std::min(kMostKept, held.size()));
    return;
  }
  held += bytes;
  print_lines({instance, stream}, held, false);
}

void JobWatch::print_lines(Source source, std::string& held, bool all) {
  std::FILE* to = source.second == fleet::Stream::output ? stdout : stderr;
  const std::string mark = "[" + std::to_string(source.first) + "] ";
  std::string out;
  std::size_t from = 0;
  for (std::size_t end = held.find('\n'); end != std::string::npos; end = held.find('\n', from)) {
    out += mark + held.substr(from, end + 1 - from);
    from = end + 1;
  }
  held.erase(0, from);
  if (!held.empty() && (all || held.size() >= kLongestLine)) {
    out += mark + held + "\n";
    held.clear();
  }
  if (out.empty()) return;
  std::fwrite(out.data(), 1, out.size(), to);
  std::fflush(to);
}

void JobWatch::flush() {
  const std::scoped_lock lock(mutex_);
  if (quiet_) return;
  for (auto& [source, held] : held_) print_lines(source, held, true);
}

void JobWatch::on_lost(const Error& /*error*/) {}  // wait() returns it

JobWatch::Progress JobWatch::progress() const {
  const std::scoped_lock lock(mutex_);
  return {tally_.started(), tally_.ended(), tally_.failed()};
}

std::string JobWatch::last_errors_of(std::uint64_t instance) const {
  const std::scoped_lock lock(mutex_);
  const auto found = last_errors_.find(instance);
  return found == last_errors_.end() ? "" : found->second;
}

std::string JobWatch::output_of(std::uint64_t instance, fleet::Stream stream) const {
  const std::scoped_lock lock(mutex_);
  const auto found = held_.find({instance, stream});
  return found == held_.end() ? "" : found->second;
}

}  // namespace particle::cli
