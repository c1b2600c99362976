// SPDX-License-Identifier: Apache-2.0
// Second copies of tasks that take far longer than others of their stage.
#include "coordinator/coordinator.hpp"

namespace particle::sprocket {

void Coordinator::note_duration(const Instance& instance) {
  if (!instance.started) return;
  took_[flow_.task(instance.task).node].push_back(Clock::now() - *instance.started);
}

/// Another worker that works on the task of instance `index`, and is to go on.
std::optional<std::uint64_t> Coordinator::other_copy(TaskId task, std::uint64_t index) const {
  const TaskState& state = tasks_.at(task);
  if (!state.copy) return {};
  const std::uint64_t other = *state.copy == index ? state.instance : *state.copy;
  const auto found = instances_.find(other);
  if (found == instances_.end() || !found->second.working || found->second.released) return {};
  return other;
}

/// What the other would say from now on is not listened to: it does not work any more.
void Coordinator::end_other_copy(TaskId task, std::uint64_t winner) {
  TaskState& state = tasks_.at(task);
  if (const auto other = other_copy(task, winner)) {
    end_instance(*other);
    instances_.at(*other).working = false;
    --working_;
  }
  state.instance = winner;
  state.copy.reset();
}

std::optional<TaskId> Coordinator::find_straggler(Clock::time_point now) const {
  for (const auto& [index, instance] : instances_) {
    if (!instance.working || instance.released || !instance.started) continue;
    const TaskRecord& record = flow_.task(instance.task);
    const auto took = took_.find(record.node);
    if (took == took_.end() || tasks_.at(instance.task).copied ||
        !is_straggler(now - *instance.started, took->second)) {
      continue;
    }
    const bool room =
        has_room(options_.capacity, instances_.size(), spec_.nodes[record.node].depth, deepest_);
    if (room && flow_.missing_inputs(instance.task).empty()) return instance.task;
  }
  return {};
}

/// After what is ready has been started: a copy takes no other task's place.
Result<void> Coordinator::copy_stragglers() {
  while (options_.concurrency == 0 || working_ < options_.concurrency) {
    const auto task = find_straggler(Clock::now());
    if (!task) return {};
    if (watch_.warn) watch_.warn(flow_.name_of(*task) + ": takes long: a second worker is started");
    if (auto ok = start_worker(*task, true); !ok) return ok;
  }
  return {};
}

}  // namespace particle::sprocket
