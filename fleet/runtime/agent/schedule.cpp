// SPDX-License-Identifier: Apache-2.0
#include "agent/schedule.hpp"

#include <algorithm>

#include "model/check.hpp"

namespace particle::fleet {

Schedule::Schedule(JobSpec job, std::string self) : job_(std::move(job)), self_(std::move(self)) {}

void Schedule::add_node(const std::string& name, std::uint64_t room) {
  nodes_[name] = {.room = std::max<std::uint64_t>(room, 1), .placed = 0, .alive = true};
}

std::size_t Schedule::living_nodes() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      nodes_.begin(), nodes_.end(), [](const auto& node) { return node.second.alive; }));
}

Event Schedule::event_of(const Instance& instance, Phase phase, Time now) const {
  Event event;
  event.job = job_.id;
  event.instance = instance.spec.index;
  event.attempt = instance.attempt;
  event.node = instance.node.empty() ? self_ : instance.node;
  event.phase = phase;
  event.at = now;
  return event;
}

Event Schedule::ended_event(const Instance& instance, Ended ended, std::string why,
                            Time now) const {
  Event event = event_of(instance, Phase::done, now);
  event.ended = ended;
  event.detail = std::move(why);
  return event;
}

Result<void> Schedule::add(std::vector<InstanceSpec> instances, Time now) {
  if (auto ok = check_instances(instances); !ok) return ok;
  for (const InstanceSpec& instance : instances) {
    const std::string which = "instance " + std::to_string(instance.index);
    if (instances_.contains(instance.index)) {
      return fail(Error::of(Errc::already_exists, which + " of job " + job_.id,
                            "give each instance of a job an index of its own"));
    }
    if (instance.node && !nodes_.contains(*instance.node)) {
      return fail(Error::of(Errc::not_found, "node " + *instance.node + " for " + which,
                            "`particle fleet nodes` lists those that have the pool"));
    }
  }
  now_ = now;
  for (InstanceSpec& spec : instances) {
    Instance& instance = instances_[spec.index];
    instance.spec = std::move(spec);
    ++alive_;
    if (killed_ || finishing_) {
      end(instance, ended_event(instance, killed_ ? Ended::killed : Ended::refused,
                                "the job takes no more instances", now));
    } else {
      queue(instance, now);
    }
  }
  refuse_hopeless(now);
  return {};
}

void Schedule::queue(Instance& instance, Time now) {
  instance.state = State::waiting;
  instance.node.clear();
  instance.was_told = false;
  events_.push_back(event_of(instance, Phase::queued, now));
  waiting_.push_back(instance.spec.index);
}

void Schedule::end(Instance& instance, Event event) {
  instance.state = State::ended;
  instance.spec.input.clear();
  instance.spec.input.shrink_to_fit();
  --alive_;
  events_.push_back(std::move(event));
}

bool Schedule::has_room(const NodeState& node) const noexcept {
  // A node that is alone queues by itself: it knows sooner when an endpoint is free again.
  return node.alive && (nodes_.size() == 1 || node.placed < node.room);
}

const std::string* Schedule::next_in_turn(const std::set<std::string>& avoid) {
  const auto first = nodes_.upper_bound(last_);
  auto at = first == nodes_.end() ? nodes_.begin() : first;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (has_room(at->second) && !avoid.contains(at->first)) {
      last_ = at->first;
      return &at->first;
    }
    if (++at == nodes_.end()) at = nodes_.begin();
  }
  return nullptr;
}

const std::string* Schedule::most_free(const std::set<std::string>& avoid) const {
  const std::string* best = nullptr;
  std::uint64_t most = 0;
  for (const auto& [name, node] : nodes_) {
    const std::uint64_t left = node.room - std::min(node.room, node.placed);
    if (has_room(node) && !avoid.contains(name) && (best == nullptr || left > most)) {
      best = &name;
      most = left;
    }
  }
  return best;
}

const std::string* Schedule::choose(const Instance& instance) {
  if (instance.spec.node) {
    const auto found = nodes_.find(*instance.spec.node);
    return found != nodes_.end() && has_room(found->second) ? &found->first : nullptr;
  }
  const auto pick = [&](const std::set<std::string>& avoid) {
    return job_.placement == Placement::most_free ? most_free(avoid) : next_in_turn(avoid);
  };
  // Elsewhere if possible.
  const std::string* node = instance.failed_on.empty() ? nullptr : pick(instance.failed_on);
  return node != nullptr ? node : pick({});
}

std::vector<Schedule::Start> Schedule::take_starts() {
  std::vector<Start> starts;
  std::deque<std::uint64_t> left;
  bool full = false;
  while (!waiting_.empty()) {
    const std::uint64_t index = waiting_.front();
    waiting_.pop_front();
    Instance& instance = instances_.at(index);
    if (instance.state != State::waiting) continue;
    full = full || (job_.concurrency != 0 && placed_ >= job_.concurrency);
    const std::string* node = full ? nullptr : choose(instance);
    if (node == nullptr) {
      // Once nothing is free for an instance that goes anywhere, nothing is for those behind it.
      full = full || !instance.spec.node;
      left.push_back(index);
      continue;
    }
    instance.state = State::placed;
    instance.node = *node;
    ++nodes_.at(*node).placed;
    ++placed_;
    starts.push_back({*node, instance.attempt, instance.spec});
    if (job_.function.retries <= instance.attempt) instance.spec.input.clear();
  }
  waiting_ = std::move(left);
  tell_who_waits(now_);
  return starts;
}

void Schedule::tell_who_waits(Time now) {
  for (const std::uint64_t index : waiting_) {
    Instance& instance = instances_.at(index);
    if (instance.was_told) continue;
    instance.was_told = true;
    Event event = event_of(instance, Phase::queued, now);
    event.detail = job_.concurrency != 0 && placed_ >= job_.concurrency
                       ? "waits for its turn: " + std::to_string(job_.concurrency) + " run at once"
                       : "waits for a free endpoint of pool " + job_.pool;
    events_.push_back(std::move(event));
  }
}

void Schedule::hear(const std::string& node, std::uint32_t attempt, Event event) {
  const auto found = instances_.find(event.instance);
  if (found == instances_.end()) return;
  Instance& instance = found->second;
  const bool current =
      instance.state == State::placed && instance.node == node && instance.attempt == attempt;
  if (!current) return;
  event.job = job_.id;
  event.attempt = attempt;
  event.node = node;
  now_ = event.at;
  // The coordinator has said already that it is queued.
  if (event.phase == Phase::queued && event.detail.empty()) return;
  if (event.phase != Phase::done) {
    events_.push_back(std::move(event));
    return;
  }
  --nodes_.at(node).placed;
  --placed_;
  if (!event.ended) event.ended = Ended::lost;
  if (killed_ && *event.ended != Ended::ok) event.ended = Ended::killed;
  if (is_last(event, job_.function.retries)) return end(instance, std::move(event));
  const Time now = event.at;
  instance.failed_on.insert(node);
  events_.push_back(std::move(event));
  ++instance.attempt;
  queue(instance, now);
}

void Schedule::refuse(const Start& start, const Error& error, Time now) {
  Event event;
  event.instance = start.instance.index;
  event.phase = Phase::done;
  event.ended = Ended::refused;
  event.at = now;
  event.detail = error.message() + (error.hint.empty() ? "" : "; " + error.hint);
  hear(start.node, start.attempt, std::move(event));
}

void Schedule::lose(Instance& instance, const std::string& why, Time now) {
  --placed_;
  Event event = ended_event(instance, killed_ ? Ended::killed : Ended::lost, why, now);
  if (is_last(event, job_.function.retries)) return end(instance, std::move(event));
  instance.failed_on.insert(instance.node);
  events_.push_back(std::move(event));
  ++instance.attempt;
  queue(instance, now);
}

void Schedule::lose_node(const std::string& name, const std::string& why, Time now) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end() || !found->second.alive) return;
  found->second = {};
  now_ = now;
  for (auto& [index, instance] : instances_) {
    if (instance.state == State::placed && instance.node == name) {
      lose(instance, "node " + name + " is lost: " + why, now);
    }
  }
  refuse_hopeless(now);
}

void Schedule::refuse_hopeless(Time now) {
  const bool none = living_nodes() == 0;
  for (const std::uint64_t index : waiting_) {
    Instance& instance = instances_.at(index);
    if (instance.state != State::waiting) continue;
    const bool pinned = instance.spec.node && !nodes_.at(*instance.spec.node).alive;
    if (!none && !pinned) continue;
    end(instance,
        ended_event(instance, Ended::refused,
                    pinned ? "node " + *instance.spec.node + ", which it must be on, is lost"
                           : "no node with pool " + job_.pool + " is left",
                    now));
  }
  std::erase_if(waiting_, [this](std::uint64_t index) {
    return instances_.at(index).state != State::waiting;
  });
}

void Schedule::kill(Time now) {
  killed_ = true;
  now_ = now;
  for (const std::uint64_t index : waiting_) kill_waiting(index, now);
  waiting_.clear();
}

void Schedule::kill_waiting(std::uint64_t instance, Time now) {
  Instance& it = instances_.at(instance);
  if (it.state == State::waiting) end(it, ended_event(it, Ended::killed, "", now));
}

std::optional<Schedule::Place> Schedule::place_of(std::uint64_t instance) const {
  const auto found = instances_.find(instance);
  if (found == instances_.end() || found->second.state != State::placed) return std::nullopt;
  return Place{found->second.node, found->second.attempt};
}

InstanceSpec* Schedule::waiting(std::uint64_t instance) {
  const auto found = instances_.find(instance);
  if (found == instances_.end() || found->second.state != State::waiting) return nullptr;
  return &found->second.spec;
}

std::vector<Event> Schedule::take_events() {
  return std::exchange(events_, {});
}

}  // namespace particle::fleet
