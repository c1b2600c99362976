// SPDX-License-Identifier: Apache-2.0
/// The pipeline while it runs, as data: which items there are, which tasks they make, who still needs
/// them. Pure: knows nothing of workers, and takes completions in any order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle_sprocket/pipespec.hpp>

#include "worker/protocol.hpp"

namespace particle::sprocket {

using TaskId = std::uint64_t;
using ItemId = std::uint64_t;

struct ItemRecord {
  Item item;
  std::optional<TaskId> producer;  ///< unset: of an input
  std::string port;                ///< of its producer
  std::optional<Source> source;
  Place place;
  std::optional<Format> format;
  bool available = false;  ///< its bytes can be had at `place`
  std::uint64_t uses = 0;  ///< delivery functions, tasks and outputs that still need it
};

struct TaskRecord {
  TaskId id = 0;
  std::size_t node = 0;      ///< index into Pipespec::nodes
  std::uint64_t number = 0;  ///< the how-manieth task of its node
  Delivery delivery;
  std::vector<ItemId> outputs;
  bool completed = false;  ///< once, at least
};

/// Frames that have arrived at an output.
struct Arrival {
  ItemId item = 0;
  std::uint64_t first = 0;
  std::uint64_t span = 0;
  std::uint64_t frames = 0;
};

class Flow {
 public:
  explicit Flow(const Pipespec& spec);

  /// One chunk of input_N. Errors: those of delivery functions.
  Result<void> add_source(std::uint64_t input, std::uint64_t first, std::uint64_t frames,
                          const Source& source, const std::optional<Format>& format);
  /// No more chunks will come on any input.
  Result<void> end_sources();
  /// What a task has made. Of a task that was completed before, it must be the same again.
  /// Errors: protocol when frames are missing or too many; those of delivery functions.
  Result<void> complete(TaskId id, const DoneMessage& done);
  /// The task is run again: it needs its inputs once more.
  void hold_inputs(TaskId id);
  void lose(ItemId item) { items_.at(item).available = false; }

  /// Tasks that fired since the last call.
  std::vector<TaskId> take_fired() { return std::exchange(fired_, {}); }
  [[nodiscard]] const TaskRecord& task(TaskId id) const { return tasks_[id]; }
  [[nodiscard]] const ItemRecord& item(ItemId id) const { return items_.at(id); }
  [[nodiscard]] std::size_t task_count() const noexcept { return tasks_.size(); }
  [[nodiscard]] std::size_t completed_count() const noexcept { return completed_; }
  /// Whether anything of what the task made is still needed.
  [[nodiscard]] bool needed(TaskId id) const;
  /// Items that the task needs and that cannot be had.
  [[nodiscard]] std::vector<ItemId> missing_inputs(TaskId id) const;
  /// Every stage has done all that will come.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] const std::map<std::uint64_t, std::vector<Arrival>>& outputs() const noexcept {
    return arrived_;
  }
  /// "grayscale chunk 3 (frames 75 to 99)"
  [[nodiscard]] std::string name_of(TaskId id) const;

 private:
  struct Consumer {
    std::optional<std::size_t> node;
    std::size_t port = 0;
    std::uint64_t output = 0;  ///< where no node is
  };
  struct NodeState {
    std::unique_ptr<DeliveryFunction> delivery;
    std::map<std::string, std::vector<Consumer>> consumers;  ///< by output port
    std::uint64_t fired = 0;
    std::uint64_t completed = 0;
    std::set<std::string> open_sources;  ///< nodes and inputs that may still send something
    bool ended = false;                  ///< nothing more will be delivered to it
  };

  Result<ItemId> make_item(ItemRecord record, const std::vector<Consumer>& consumers);
  Result<void> deliver(ItemId id, const std::vector<Consumer>& consumers);
  void take(std::size_t node, Deliveries deliveries);
  Result<void> settle();
  Result<void> check_frames(const TaskRecord& task, const DoneMessage& done) const;
  Result<void> complete_again(TaskRecord& task, const DoneMessage& done);
  void let_go_inputs(const TaskRecord& task);
  static std::set<ItemId> inputs_of(const TaskRecord& task);

  const Pipespec& spec_;
  std::vector<NodeState> nodes_;
  std::map<std::uint64_t, std::vector<Consumer>> source_consumers_;
  std::map<ItemId, ItemRecord> items_;
  std::vector<TaskRecord> tasks_;
  std::vector<TaskId> fired_;
  std::map<std::uint64_t, std::vector<Arrival>> arrived_;
  std::size_t completed_ = 0;
  ItemId next_item_ = 0;
};

}  // namespace particle::sprocket
