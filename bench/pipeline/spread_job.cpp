// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spread_job.hpp"

#include <cstdlib>

namespace particle::bench {

void OneAtATime::on_event(const fleet::Event& event) {
  const std::lock_guard guard(mutex_);
  observer_.on_event(event);
}

void OneAtATime::on_output(std::uint64_t instance, fleet::Stream stream, std::string_view bytes) {
  const std::lock_guard guard(mutex_);
  observer_.on_output(instance, stream, bytes);
}

void OneAtATime::on_lost(const Error& error) {
  const std::lock_guard guard(mutex_);
  observer_.on_lost(error);
}

Result<std::unique_ptr<fleet::RunningJob>> SpreadJob::start(std::size_t nodes,
                                                            const StartPart& start,
                                                            const Adapt& adapt,
                                                            fleet::JobObserver& observer) {
  auto job = std::make_unique<SpreadJob>(observer, adapt);
  for (std::size_t i = 0; i < nodes; ++i) {
    auto part = start(i, job->observer_);
    if (!part) return fail(std::move(part.error()));
    job->parts_.push_back(*std::move(part));
  }
  return job;
}

fleet::RunningJob& SpreadJob::part_of(std::uint64_t instance) {
  const std::lock_guard guard(mutex_);
  return *parts_.at(where_[instance]);
}

Result<void> SpreadJob::add(std::vector<fleet::InstanceSpec> instances) {
  std::vector<std::vector<fleet::InstanceSpec>> groups(parts_.size());
  {
    const std::lock_guard guard(mutex_);
    for (fleet::InstanceSpec& instance : instances) {
      const std::size_t number =
          instance.node ? std::strtoul(instance.node->c_str(), nullptr, 10) % parts_.size() : 0;
      where_[instance.index] = number;
      instance.node.reset();
      if (adapt_) adapt_(instance, number);
      groups[number].push_back(std::move(instance));
    }
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].empty()) continue;
    if (auto done = parts_[i]->add(std::move(groups[i])); !done) return done;
  }
  return {};
}

Result<void> SpreadJob::send(std::uint64_t instance, std::string_view bytes) {
  return part_of(instance).send(instance, bytes);
}

Result<void> SpreadJob::close_input(std::uint64_t instance) {
  return part_of(instance).close_input(instance);
}

Result<void> SpreadJob::signal(std::uint64_t instance, int number) {
  return part_of(instance).signal(instance, number);
}

Result<void> SpreadJob::finish() {
  for (const auto& part : parts_) {
    if (auto done = part->finish(); !done) return done;
  }
  return {};
}

void SpreadJob::kill() {
  for (const auto& part : parts_) part->kill();
}

Result<void> SpreadJob::wait() {
  for (const auto& part : parts_) {
    if (auto done = part->wait(); !done) return done;
  }
  return {};
}

}  // namespace particle::bench
