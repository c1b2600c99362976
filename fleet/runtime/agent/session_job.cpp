// SPDX-License-Identifier: Apache-2.0
#include "agent/session_job.hpp"

#include "model/base64.hpp"
#include "model/event_json.hpp"
#include "model/names.hpp"
#include "wire/error_json.hpp"

namespace particle::fleet {

Session::Job::~Job() {
  if (running_) {
    running_->kill();
    static_cast<void>(running_->finish());
  }
  if (waiter_.joinable()) waiter_.join();
  if (registry_ != nullptr) registry_->close(id_);
}

Result<void> Session::Job::enter(JobRegistry& registry, const JobSpec& job) {
  auto record = registry.open(job, [this] {
    const std::scoped_lock lock(mutex_);
    dying_ = true;
    if (running_) running_->kill();
  });
  if (!record) return fail(std::move(record.error()));
  record_ = std::move(*record);
  registry_ = &registry;
  return {};
}

void Session::Job::begin(std::unique_ptr<RunningJob> running) {
  {
    const std::scoped_lock lock(mutex_);
    running_ = std::move(running);
    if (dying_) running_->kill();
  }
  waiter_ = std::thread([this] {
    const Result<void> ended = running_->wait();
    if (registry_ != nullptr) registry_->close(id_);
    if (ended) write({{"ended", true}});  // a loss was said by on_lost
  });
}

void Session::Job::write(Json notice) {
  notice["job"] = id_;
  // When the connection is gone its session ends, and this job with it.
  static_cast<void>(channel_.write(dump(notice)));
}

void Session::Job::on_event(const Event& event) {
  if (record_) record_->take(event);
  write({{"event", event_to_json(event)}});
}

void Session::Job::on_output(std::uint64_t instance, Stream stream, std::string_view bytes) {
  if (record_) record_->take(instance, stream, bytes);
  write({{"instance", instance}, {"stream", to_string(stream)}, {"base64", encode_base64(bytes)}});
}

void Session::Job::on_lost(const Error& error) {
  write({{"lost", error_to_json(error)}});
}

}  // namespace particle::fleet
