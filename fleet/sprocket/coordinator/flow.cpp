// SPDX-License-Identifier: Apache-2.0
#include "coordinator/flow.hpp"

#include <algorithm>

#include "delivery/kinds.hpp"

namespace particle::sprocket {
namespace {

std::uint64_t number_of(const std::string& node, const char* prefix) {
  return std::stoull(node.substr(std::string(prefix).size()));
}

}  // namespace

Flow::Flow(const Pipespec& spec) : spec_(spec), nodes_(spec.nodes.size()) {
  const auto index_of = [&](const std::string& name) -> std::optional<std::size_t> {
    const SpecNode* node = spec.find(name);
    if (node == nullptr) return {};
    return static_cast<std::size_t>(node - spec.nodes.data());
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const SpecNode& node = spec.nodes[i];
    nodes_[i].delivery = node.delivery->make(node.inputs.size(), node.delivery_parameters);
  }
  for (const SpecStream& stream : spec.streams) {
    Consumer consumer;
    consumer.node = index_of(stream.dst.node);
    if (consumer.node) {
      const auto& ports = spec.nodes[*consumer.node].inputs;
      consumer.port = static_cast<std::size_t>(
          std::find(ports.begin(), ports.end(), stream.dst.port) - ports.begin());
      nodes_[*consumer.node].open_sources.insert(stream.src.node);
    } else {
      consumer.output = number_of(stream.dst.node, "output_");
      arrived_[consumer.output];
    }
    if (const auto from = index_of(stream.src.node)) {
      nodes_[*from].consumers[stream.src.port].push_back(consumer);
    } else {
      source_consumers_[number_of(stream.src.node, "input_")].push_back(consumer);
    }
  }
}

Result<void> Flow::add_source(std::uint64_t input, std::uint64_t first, std::uint64_t frames,
                              const Source& source, const std::optional<Format>& format) {
  ItemRecord record;
  record.item = {.type = DataType::chunks, .first = first, .span = frames, .frames = frames};
  record.source = source;
  record.format = format;
  record.available = true;
  const auto made = make_item(std::move(record), source_consumers_[input]);
  if (!made) return fail(made.error());
  return deliver(*made, source_consumers_[input]);
}

Result<void> Flow::end_sources() {
  for (NodeState& node : nodes_) {
    std::erase_if(node.open_sources,
                  [](const std::string& name) { return name.starts_with("input_"); });
  }
  return settle();
}

Result<ItemId> Flow::make_item(ItemRecord record, const std::vector<Consumer>& consumers) {
  record.item.id = next_item_++;
  record.uses = consumers.size();
  const ItemId id = record.item.id;
  items_.emplace(id, std::move(record));
  return id;
}

Result<void> Flow::deliver(ItemId id, const std::vector<Consumer>& consumers) {
  const Item item = items_.at(id).item;
  for (const Consumer& consumer : consumers) {
    if (!consumer.node) {
      arrived_[consumer.output].push_back({id, item.first, item.span, item.frames});
      --items_.at(id).uses;
      continue;
    }
    auto deliveries = nodes_[*consumer.node].delivery->on_item(consumer.port, item);
    if (!deliveries) {
      Error error = std::move(deliveries.error());
      error.operation = "node \"" + spec_.nodes[*consumer.node].name + "\": " + error.operation;
      return fail(std::move(error));
    }
    take(*consumer.node, std::move(*deliveries));
  }
  return {};
}

void Flow::take(std::size_t node, Deliveries deliveries) {
  for (Delivery& delivery : deliveries.fired) {
    TaskRecord task;
    task.id = tasks_.size();
    task.node = node;
    task.number = nodes_[node].fired++;
    task.delivery = std::move(delivery);
    tasks_.push_back(std::move(task));
    hold_inputs(tasks_.back().id);
    fired_.push_back(tasks_.back().id);
  }
  for (const ItemId id : deliveries.let_go) --items_.at(id).uses;
}

std::set<ItemId> Flow::inputs_of(const TaskRecord& task) {
  std::set<ItemId> out;
  for (const auto& slices : task.delivery.inputs) {
    for (const Slice& slice : slices) out.insert(slice.item);
  }
  return out;
}

void Flow::hold_inputs(TaskId id) {
  for (const ItemId item : inputs_of(tasks_[id])) ++items_.at(item).uses;
}

void Flow::let_go_inputs(const TaskRecord& task) {
  for (const ItemId item : inputs_of(task)) --items_.at(item).uses;
}

bool Flow::needed(TaskId id) const {
  const auto& outputs = tasks_[id].outputs;
  return std::any_of(outputs.begin(), outputs.end(),
                     [&](ItemId item) { return items_.at(item).uses > 0; });
}

std::vector<ItemId> Flow::missing_inputs(TaskId id) const {
  std::vector<ItemId> out;
  for (const ItemId item : inputs_of(tasks_[id])) {
    if (!items_.at(item).available) out.push_back(item);
  }
  return out;
}

std::string Flow::name_of(TaskId id) const {
  const TaskRecord& task = tasks_[id];
  return spec_.nodes[task.node].name + " chunk " + std::to_string(task.number) + " (" +
         frames_text(task.delivery.first, task.delivery.span) + ")";
}

/// No frame is lost or doubled without a word: what comes out is held against what went in.
Result<void> Flow::check_frames(const TaskRecord& task, const DoneMessage& done) const {
  const SpecNode& node = spec_.nodes[task.node];
  const auto wrong = [&](const std::string& what) {
    return fail(Error::of(Errc::protocol, name_of(task.id) + ": " + what));
  };
  if (done.outputs.size() != node.outputs.size()) return wrong("an output is missing");
  for (std::size_t i = 0; i < done.outputs.size(); ++i) {
    const DoneOutput& output = done.outputs[i];
    if (output.port != node.outputs[i]) return wrong("no output is called " + output.port);
    std::uint64_t position = task.delivery.first;
    std::uint64_t frames = 0;
    for (const DoneItem& each : output.items) {
      if (each.item.first != position || each.item.span == 0 || each.item.frames > each.item.span) {
        return wrong(output.port + ": " + frames_text(each.item.first, each.item.span) +
                     " came where frame " + std::to_string(position) + " was due");
      }
      position += each.item.span;
      frames += each.item.frames;
    }
    const bool keeps = node.kind->keeps_frames(node.parameters);
    if (position != task.delivery.first + task.delivery.span ||
        (keeps && frames != task.delivery.frames)) {
      return wrong(output.port + ": " + std::to_string(frames) + " frames came out of " +
                   std::to_string(task.delivery.frames));
    }
  }
  return {};
}

Result<void> Flow::complete(TaskId id, const DoneMessage& done) {
  if (auto ok = check_frames(tasks_[id], done); !ok) return ok;
  let_go_inputs(tasks_[id]);
  if (tasks_[id].completed) return complete_again(tasks_[id], done);
  tasks_[id].completed = true;
  ++completed_;
  NodeState& node = nodes_[tasks_[id].node];
  ++node.completed;
  std::vector<std::pair<ItemId, std::string>> made;
  for (const DoneOutput& output : done.outputs) {
    for (const DoneItem& each : output.items) {
      ItemRecord record;
      record.item = {.type = type_of(output.port).value_or(DataType::frames),
                     .first = each.item.first,
                     .span = each.item.span,
                     .frames = each.item.frames,
                     .starts_scene = each.item.starts_scene,
                     .cuts = each.item.cuts};
      record.producer = id;
      record.port = output.port;
      record.place = each.place;
      record.format = output.format;
      record.available = true;
      const auto item = make_item(std::move(record), node.consumers[output.port]);
      if (!item) return fail(item.error());
      tasks_[id].outputs.push_back(*item);
      made.emplace_back(*item, output.port);
    }
  }
  // After all of them are known: what a delivery fires may make tasks_ move.
  for (const auto& [item, port] : made) {
    if (auto ok = deliver(item, node.consumers[port]); !ok) return ok;
  }
  return settle();
}

Result<void> Flow::complete_again(TaskRecord& task, const DoneMessage& done) {
  std::size_t next = 0;
  for (const DoneOutput& output : done.outputs) {
    for (const DoneItem& each : output.items) {
      ItemRecord* record = next < task.outputs.size() ? &items_.at(task.outputs[next++]) : nullptr;
      if (record == nullptr || record->item.first != each.item.first ||
          record->item.frames != each.item.frames || record->port != output.port) {
        return fail(Error::of(Errc::protocol,
                              name_of(task.id) + ": run again, it gave other frames",
                              "a stage must always make the same of the same frames"));
      }
      record->place = each.place;
      record->available = true;
    }
  }
  return {};
}

Result<void> Flow::settle() {
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      NodeState& node = nodes_[i];
      if (!node.ended && node.open_sources.empty()) {
        node.ended = true;
        moved = true;
        auto last = node.delivery->on_end();
        if (!last) {
          Error error = std::move(last.error());
          error.operation = "node \"" + spec_.nodes[i].name + "\": " + error.operation;
          return fail(std::move(error));
        }
        take(i, std::move(*last));
      }
      if (!node.ended || node.completed != node.fired) continue;
      for (NodeState& other : nodes_)
        moved = other.open_sources.erase(spec_.nodes[i].name) != 0 || moved;
    }
  }
  return {};
}

bool Flow::finished() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [](const NodeState& node) {
    return node.ended && node.completed == node.fired;
  });
}

}  // namespace particle::sprocket
