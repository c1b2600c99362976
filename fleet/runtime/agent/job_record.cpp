// SPDX-License-Identifier: Apache-2.0
#include "agent/job_record.hpp"

#include <algorithm>

namespace particle::fleet {
namespace {

constexpr std::size_t kEndedJobs = 16;
constexpr std::size_t kEndedLogs = 64U << 20;

}  // namespace

JobRecord::JobRecord(const JobSpec& job, std::chrono::system_clock::time_point since)
    : retries_(job.function.retries) {
  status_.id = job.id;
  status_.pool = job.pool;
  status_.since = since;
}

void JobRecord::count(const Event& event) {
  const bool last = is_last(event, retries_);
  const bool waits = event.phase == Phase::queued || event.phase == Phase::done;
  Stage next = waits ? Stage::queued : Stage::running;
  if (last) next = Stage::done;
  const auto number = [this](Stage stage) -> std::uint64_t& {
    if (stage == Stage::queued) return status_.queued;
    return stage == Stage::running ? status_.running : status_.done;
  };
  const auto [found, fresh] = stages_.try_emplace(event.instance, next);
  if (!fresh) {
    if (found->second == Stage::done) return;
    --number(found->second);
    found->second = next;
  }
  ++number(next);
  if (last && event.ended != Ended::ok) ++status_.failed;
}

void JobRecord::take(const Event& event) {
  const std::scoped_lock lock(mutex_);
  count(event);
  if (events_.size() < kEventsPerJob) events_.push_back(event);
}

void JobRecord::take(std::uint64_t instance, Stream stream, std::string_view bytes) {
  const std::scoped_lock lock(mutex_);
  Log& log = logs_[instance];
  bytes = bytes.substr(bytes.size() - std::min(bytes.size(), kLogPerInstance));
  if (!log.pieces.empty() && log.pieces.back().first == stream &&
      log.pieces.back().second.size() < kLogPerInstance / 16) {
    log.pieces.back().second += bytes;
  } else {
    log.pieces.emplace_back(stream, bytes);
  }
  log.bytes += bytes.size();
  log_bytes_ += bytes.size();
  while (log.bytes > kLogPerInstance) {
    std::string& oldest = log.pieces.front().second;
    const std::size_t cut = std::min(log.bytes - kLogPerInstance, oldest.size());
    oldest.erase(0, cut);
    log.bytes -= cut;
    log_bytes_ -= cut;
    if (oldest.empty()) log.pieces.pop_front();
  }
}

void JobRecord::finish() {
  const std::scoped_lock lock(mutex_);
  status_.finished = true;
}

JobStatus JobRecord::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

std::vector<Event> JobRecord::events() const {
  const std::scoped_lock lock(mutex_);
  return events_;
}

std::size_t JobRecord::log_bytes() const {
  const std::scoped_lock lock(mutex_);
  return log_bytes_;
}

std::vector<JobRecord::Piece> JobRecord::log() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Piece> out;
  for (const auto& [instance, log] : logs_) {
    for (const auto& [stream, bytes] : log.pieces) out.push_back({instance, stream, bytes});
  }
  return out;
}

const JobRegistry::Entry* JobRegistry::latest(const std::string& job) const {
  const auto found = std::find_if(entries_.rbegin(), entries_.rend(),
                                  [&](const Entry& entry) { return entry.id == job; });
  return found == entries_.rend() ? nullptr : &*found;
}

Result<std::shared_ptr<JobRecord>> JobRegistry::open(const JobSpec& job,
                                                     std::function<void()> kill) {
  const std::scoped_lock lock(mutex_);
  const Entry* before = latest(job.id);
  if (before != nullptr && before->kill) {
    return fail(Error::of(Errc::already_exists, "job " + job.id,
                          "`particle fleet ps` lists the jobs of this agent"));
  }
  auto record = std::make_shared<JobRecord>(job, std::chrono::system_clock::now());
  entries_.push_back({job.id, record, std::move(kill)});
  return record;
}

void JobRegistry::close(const std::string& job) {
  const std::scoped_lock lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.id == job && entry.kill) {
      entry.kill = {};
      entry.record->finish();
    }
  }
  drop_oldest();
}

void JobRegistry::remove(const std::string& job) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.id == job && entry.kill; });
}

void JobRegistry::drop_oldest() {
  std::size_t ended = 0;
  std::size_t bytes = 0;
  for (auto entry = entries_.rbegin(); entry != entries_.rend();) {
    bool drop = false;
    if (!entry->kill) {
      bytes += entry->record->log_bytes();
      ++ended;
      drop = ended > kEndedJobs || (bytes > kEndedLogs && ended > 1);
    }
    entry = drop ? std::make_reverse_iterator(entries_.erase(std::next(entry).base()))
                 : std::next(entry);
  }
}

Result<std::shared_ptr<JobRecord>> JobRegistry::find(const std::string& job) const {
  const std::scoped_lock lock(mutex_);
  if (const Entry* entry = latest(job)) return entry->record;
  return fail(
      Error::of(Errc::not_found, "job " + job,
                "an agent knows the jobs that were started through it; the last 16 that ended "
                "included"));
}

Result<void> JobRegistry::kill(const std::string& job) {
  // With the mutex held: once close() has returned the job's owner may go.
  const std::scoped_lock lock(mutex_);
  const Entry* entry = latest(job);
  if (entry == nullptr) {
    return fail(Error::of(Errc::not_found, "job " + job,
                          "`particle fleet ps` lists the jobs of this agent"));
  }
  if (entry->kill) entry->kill();
  return {};
}

std::vector<JobStatus> JobRegistry::list() const {
  const std::scoped_lock lock(mutex_);
  std::vector<JobStatus> out;
  for (const Entry& entry : entries_) out.push_back(entry.record->status());
  return out;
}

}  // namespace particle::fleet
