// SPDX-License-Identifier: Apache-2.0
#include "agent/node_share.hpp"

#include <csignal>
#include <future>

namespace particle::fleet {

struct NodeShare::Part final : JobObserver {
  Part(NodeShare& share, std::uint32_t number) : owner(share), attempt(number) {}
  void on_event(const Event& event) override {
    owner.listener_.share_event(owner.node_, attempt, event);
  }
  void on_output(std::uint64_t instance, Stream stream, std::string_view bytes) override {
    owner.listener_.share_output(owner.node_, attempt, instance, stream, bytes);
  }
  void on_lost(const Error& error) override { owner.listener_.share_lost(owner.node_, error); }

  NodeShare& owner;
  std::uint32_t attempt;
  std::unique_ptr<RunningJob> job;  ///< last: it goes first, and calls the observer until then
};

NodeShare::NodeShare(std::string node, JobSpec job, StartJob start, ShareListener& listener)
    : node_(std::move(node)),
      job_(std::move(job)),
      start_(std::move(start)),
      listener_(listener),
      thread_([this] { work(); }) {}

NodeShare::~NodeShare() {
  kill();
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void NodeShare::work() {
  while (true) {
    std::function<void()> command;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return closed_ || !commands_.empty(); });
      if (commands_.empty()) return;
      command = std::move(commands_.front());
      commands_.pop_front();
    }
    command();
  }
}

void NodeShare::post(std::function<void()> command) {
  const std::scoped_lock lock(mutex_);
  commands_.push_back(std::move(command));
  changed_.notify_all();
}

NodeShare::Part* NodeShare::existing(std::uint32_t attempt) {
  const std::scoped_lock lock(parts_mutex_);
  const auto found = parts_.find(attempt);
  return found == parts_.end() ? nullptr : found->second.get();
}

Result<NodeShare::Part*> NodeShare::part(std::uint32_t attempt) {
  if (Part* found = existing(attempt)) return found;
  JobSpec job = job_;
  if (attempt > 0) job.id += "." + std::to_string(attempt);
  auto made = std::make_unique<Part>(*this, attempt);
  auto started = start_(job, *made);
  if (!started) return fail(std::move(started.error()));
  made->job = std::move(*started);
  const std::scoped_lock lock(parts_mutex_);
  if (killed_) made->job->kill();
  return (parts_[attempt] = std::move(made)).get();
}

Result<void> NodeShare::open() {
  std::promise<Result<void>> promise;
  auto done = promise.get_future();
  post([&] {
    auto opened = part(0);
    promise.set_value(opened ? Result<void>() : fail(std::move(opened.error())));
  });
  return done.get();
}

void NodeShare::add(std::uint32_t attempt, std::vector<InstanceSpec> instances) {
  post([this, attempt, instances = std::move(instances)] {
    auto to = part(attempt);
    // A list that is refused is refused as a whole.
    const Result<void> added = to ? (*to)->job->add(instances) : fail(to.error());
    if (!added) listener_.share_refused(node_, attempt, instances, added.error());
  });
}

void NodeShare::send(std::uint32_t attempt, std::uint64_t instance, std::string bytes) {
  post([this, attempt, instance, bytes = std::move(bytes)] {
    // An instance may end before its input: nobody is left to be told.
    if (Part* to = existing(attempt)) static_cast<void>(to->job->send(instance, bytes));
  });
}

void NodeShare::close_input(std::uint32_t attempt, std::uint64_t instance) {
  post([this, attempt, instance] {
    if (Part* to = existing(attempt)) static_cast<void>(to->job->close_input(instance));
  });
}

void NodeShare::signal(std::uint32_t attempt, std::uint64_t instance, int number) {
  post([this, attempt, instance, number] {
    if (Part* to = existing(attempt)) static_cast<void>(to->job->signal(instance, number));
  });
}

void NodeShare::kill() {
  const std::scoped_lock lock(parts_mutex_);
  killed_ = true;
  for (auto& [attempt, part] : parts_) part->job->kill();
}

}  // namespace particle::fleet
