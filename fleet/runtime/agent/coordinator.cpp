// SPDX-License-Identifier: Apache-2.0
#include "agent/coordinator.hpp"

#include <chrono>
#include <csignal>
#include <future>

namespace particle::fleet {
namespace {

Schedule::Time now() {
  return std::chrono::system_clock::now();
}

Error not_running(std::uint64_t instance) {
  return Error::of(Errc::not_found, "instance " + std::to_string(instance) + " does not run");
}

}  // namespace

Coordinator::Coordinator(const JobSpec& job, const std::string& self, JobObserver& observer)
    : schedule_(job, self), queue_(observer) {}

Coordinator::~Coordinator() {
  kill();
  // Shares report until they are gone.
  shares_.clear();
}

Result<std::unique_ptr<Coordinator>> Coordinator::start(const JobSpec& job, const std::string& self,
                                                        std::vector<Participant> participants,
                                                        JobObserver& observer,
                                                        std::vector<std::string>& left_out) {
  auto coordinator = std::unique_ptr<Coordinator>(new Coordinator(job, self, observer));
  JobSpec part = job;
  part.function.retries = 0;
  part.concurrency = 0;
  ShareListener& listener = *coordinator;
  std::vector<std::future<Result<void>>> opened;
  for (Participant& participant : participants) {
    auto& share = coordinator->shares_[participant.name];
    share =
        std::make_unique<NodeShare>(participant.name, part, std::move(participant.start), listener);
    opened.push_back(std::async(std::launch::async, [&share] { return share->open(); }));
  }
  std::optional<Error> first;
  for (std::size_t i = 0; i < participants.size(); ++i) {
    const Result<void> ok = opened[i].get();
    const std::scoped_lock lock(coordinator->mutex_);
    if (ok) {
      coordinator->schedule_.add_node(participants[i].name, participants[i].room);
      continue;
    }
    if (!first) first = ok.error();
    left_out.push_back(participants[i].name + ": " + ok.error().message());
  }
  if (first && left_out.size() == participants.size()) return fail(std::move(*first));
  return coordinator;
}

void Coordinator::act() {
  std::map<std::pair<std::string, std::uint32_t>, std::vector<InstanceSpec>> batches;
  for (Schedule::Start& start : schedule_.take_starts()) {
    start.instance.node.reset();  // it is there already
    batches[{start.node, start.attempt}].push_back(std::move(start.instance));
  }
  for (Event& event : schedule_.take_events()) queue_.push(std::move(event));
  for (auto& [to, instances] : batches) {
    shares_.at(to.first)->add(to.second, std::move(instances));
  }
  if (schedule_.over() && !ended_) {
    ended_ = true;
    queue_.push_end();
  }
}

Result<void> Coordinator::add(std::vector<InstanceSpec> instances) {
  const std::scoped_lock lock(mutex_);
  if (auto ok = schedule_.add(std::move(instances), now()); !ok) return ok;
  act();
  return {};
}

Result<Schedule::Place> Coordinator::find(std::uint64_t instance) const {
  const auto place = schedule_.place_of(instance);
  if (!place) return fail(not_running(instance));
  return *place;
}

Result<void> Coordinator::send(std::uint64_t instance, std::string_view bytes) {
  const std::scoped_lock lock(mutex_);
  if (InstanceSpec* waiting = schedule_.waiting(instance)) {
    if (!waiting->keep_input) {
      return fail(Error::of(Errc::not_found,
                            "the input of instance " + std::to_string(instance) + " has ended"));
    }
    waiting->input += bytes;
    return {};
  }
  const auto place = find(instance);
  if (!place) return fail(place.error());
  shares_.at(place->node)->send(place->attempt, instance, std::string(bytes));
  return {};
}

Result<void> Coordinator::close_input(std::uint64_t instance) {
  const std::scoped_lock lock(mutex_);
  if (InstanceSpec* waiting = schedule_.waiting(instance)) {
    waiting->keep_input = false;
    return {};
  }
  const auto place = find(instance);
  if (!place) return fail(place.error());
  shares_.at(place->node)->close_input(place->attempt, instance);
  return {};
}

Result<void> Coordinator::signal(std::uint64_t instance, int number) {
  const std::scoped_lock lock(mutex_);
  if (number == SIGKILL && schedule_.waiting(instance) != nullptr) {
    schedule_.kill_waiting(instance, now());
    act();
    return {};
  }
  const auto place = find(instance);
  if (!place) return fail(place.error());
  shares_.at(place->node)->signal(place->attempt, instance, number);
  return {};
}

Result<void> Coordinator::finish() {
  const std::scoped_lock lock(mutex_);
  schedule_.finish();
  act();
  return {};
}

void Coordinator::kill() {
  {
    const std::scoped_lock lock(mutex_);
    schedule_.kill(now());
    schedule_.finish();
    act();
  }
  for (auto& [name, share] : shares_) share->kill();
}

Result<void> Coordinator::wait() {
  return queue_.wait();
}

void Coordinator::share_event(const std::string& node, std::uint32_t attempt, Event event) {
  const std::scoped_lock lock(mutex_);
  schedule_.hear(node, attempt, std::move(event));
  act();
}

void Coordinator::share_output(const std::string& node, std::uint32_t attempt,
                               std::uint64_t instance, Stream stream, std::string_view bytes) {
  {
    const std::scoped_lock lock(mutex_);
    const auto place = schedule_.place_of(instance);
    if (!place || place->node != node || place->attempt != attempt) return;
  }
  queue_.push(instance, stream, std::string(bytes));
}

void Coordinator::share_refused(const std::string& node, std::uint32_t attempt,
                                const std::vector<InstanceSpec>& instances, const Error& error) {
  const std::scoped_lock lock(mutex_);
  if (error.kind() == Errc::io) {
    schedule_.lose_node(node, error.message(), now());
  }
  for (const InstanceSpec& instance : instances) {
    schedule_.refuse({node, attempt, instance}, error, now());
  }
  act();
}

void Coordinator::share_lost(const std::string& node, const Error& error) {
  const std::scoped_lock lock(mutex_);
  schedule_.lose_node(node, error.message(), now());
  act();
}

}  // namespace particle::fleet
