// SPDX-License-Identifier: Apache-2.0
#include "client/remote_job.hpp"

#include <algorithm>

#include "model/base64.hpp"
#include "model/event_json.hpp"
#include "model/job_json.hpp"
#include "model/names.hpp"
#include "wire/error_json.hpp"

namespace particle::fleet {
namespace {

// An `add` is cut where its inputs reach this, so that a line stays far below kLongestLine.
constexpr std::size_t kBytesPerAdd = 2U << 20;
constexpr std::size_t kInstancesPerAdd = 500;
constexpr std::size_t kBytesPerSend = 2U << 20;

std::size_t size_of(const InstanceSpec& instance) {
  std::size_t size = instance.input.size();
  for (const std::string& word : instance.environment) size += word.size();
  for (const std::string& word : instance.command) size += word.size();
  return size;
}

}  // namespace

std::string_view to_string(Scope scope) noexcept {
  return scope == Scope::fleet ? "fleet" : "node";
}

RemoteJob::RemoteJob(std::shared_ptr<Connection> connection, std::string id, JobObserver& observer)
    : connection_(std::move(connection)), id_(std::move(id)), queue_(observer) {}

Result<std::unique_ptr<RemoteJob>> RemoteJob::start(std::shared_ptr<Connection> connection,
                                                    const JobSpec& job, Scope scope,
                                                    JobObserver& observer) {
  if (auto ok = check_job(job); !ok) return fail(std::move(ok.error()));
  auto remote = std::unique_ptr<RemoteJob>(new RemoteJob(std::move(connection), job.id, observer));
  RemoteJob& it = *remote;
  auto listening = it.connection_->listen(
      job.id, {.notice = [&it](const Json& line) { it.take_notice(line); },
               .lost = [&it](const Error& error) { it.queue_.push_lost(error); }});
  if (!listening) return fail(std::move(listening.error()));
  auto started = it.connection_->ask(
      {{"do", "start"}, {"spec", job_to_json(job)}, {"scope", to_string(scope)}});
  if (!started) return fail(std::move(started.error()));
  return remote;
}

RemoteJob::~RemoteJob() {
  connection_->unlisten(id_);
  connection_->request({{"do", "forget"}, {"job", id_}}, [](const Result<Json>&) {});
}

Result<void> RemoteJob::ask(Json request) {
  request["job"] = id_;
  queue_.begin_call();
  auto answer = connection_->ask(std::move(request));
  queue_.end_call();
  if (!answer) return fail(std::move(answer.error()));
  return {};
}

Result<void> RemoteJob::add(std::vector<InstanceSpec> instances) {
  for (std::size_t i = 0; i < instances.size();) {
    Json list = Json::array();
    for (std::size_t bytes = 0;
         i < instances.size() && list.size() < kInstancesPerAdd && bytes < kBytesPerAdd; ++i) {
      bytes += size_of(instances[i]);
      list.push_back(instance_to_json(instances[i]));
    }
    const std::size_t first = i - list.size();
    if (auto ok = ask({{"do", "add"}, {"instances", std::move(list)}}); !ok) {
      Error error = std::move(ok.error());
      if (first > 0)
        error.hint +=
            " (instances before number " + std::to_string(first) + " of the list were taken)";
      return fail(std::move(error));
    }
  }
  return {};
}

Result<void> RemoteJob::send(std::uint64_t instance, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kBytesPerSend);
    auto ok = ask({{"do", "send"}, {"instance", instance}, {"base64", encode_base64(part)}});
    if (!ok) return ok;
    bytes.remove_prefix(part.size());
  }
  return {};
}

Result<void> RemoteJob::close_input(std::uint64_t instance) {
  return ask({{"do", "close_input"}, {"instance", instance}});
}

Result<void> RemoteJob::signal(std::uint64_t instance, int number) {
  return ask({{"do", "signal"}, {"instance", instance}, {"number", number}});
}

Result<void> RemoteJob::finish() {
  return ask({{"do", "finish"}});
}

void RemoteJob::kill() {
  connection_->request({{"do", "kill"}, {"job", id_}}, [](const Result<Json>&) {});
}

Result<void> RemoteJob::wait() {
  return queue_.wait();
}

void RemoteJob::take_notice(const Json& line) {
  Faults faults;
  ObjectReader reader(line, "", faults);
  if (const Json* event = reader.find("event")) {
    auto read = event_from_json(*event);
    if (read) return queue_.push(std::move(*read));
    return queue_.push_lost(read.error());
  }
  if (reader.find("ended") != nullptr) return queue_.push_end();
  if (const Json* error = reader.find("lost")) return queue_.push_lost(error_from_json(*error));
  const auto instance = reader.number("instance");
  std::string name;
  std::string encoded;
  reader.text("stream", name);
  reader.text("base64", encoded);
  const auto stream = find_stream(name);
  auto bytes = decode_base64(encoded);
  if (!instance || !stream || !bytes) {
    return queue_.push_lost(Error::of(Errc::protocol, "a notice of the agent cannot be read"));
  }
  queue_.push(*instance, *stream, std::move(*bytes));
}

}  // namespace particle::fleet
