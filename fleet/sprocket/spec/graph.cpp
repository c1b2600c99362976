// SPDX-License-Identifier: Apache-2.0
#include "spec/graph.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace particle::sprocket {
namespace {

/// The N of `input_N`.
std::optional<std::uint64_t> number_of(std::string_view node, std::string_view prefix) {
  if (!node.starts_with(prefix)) return {};
  const std::string_view digits = node.substr(prefix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  if (!whole || number > 999 || (digits.size() > 1 && digits.front() == '0')) return {};
  return number;
}

void insert_sorted(std::vector<std::string>& list, const std::string& value) {
  const auto at = std::lower_bound(list.begin(), list.end(), value);
  if (at == list.end() || *at != value) list.insert(at, value);
}

std::string types_text(const std::vector<DataType>& types) {
  std::string out;
  for (const DataType type : types) {
    out += (out.empty() ? "" : " or ") + std::string(to_string(type));
  }
  return out.empty() ? "nothing" : out;
}

bool contains(const std::vector<DataType>& types, DataType type) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

class Connector {
 public:
  Connector(Pipespec& spec, Faults& faults) : spec_(spec), faults_(faults) {}

  void run() {
    for (const SpecStream& stream : spec_.streams) take(stream);
    for (const SpecNode& node : spec_.nodes) check_ports(node);
    sort();
  }

 private:
  static std::string object_of(const SpecStream& stream) {
    return "stream " + stream.src.text() + " " + stream.dst.text();
  }
  void fault(const SpecStream& stream, const char* key, const std::string& what) {
    faults_.add_at(object_of(stream), key,
                   "stream " + stream.src.text() + " -> " + stream.dst.text() + ": " + what);
  }
  SpecNode* find(const std::string& name) { return const_cast<SpecNode*>(spec_.find(name)); }

  void take(const SpecStream& stream) {
    if (!pairs_.insert({stream.src.text(), stream.dst.text()}).second) {
      fault(stream, "", "it is there twice");
    } else if (!targets_.insert(stream.dst.text()).second) {
      fault(stream, "dst", "another stream ends there already");
    }
    if (stream.src.type != stream.dst.type) {
      fault(stream, "dst",
            "dst takes " + std::string(to_string(stream.dst.type)) + ", src gives " +
                std::string(to_string(stream.src.type)));
    }
    take_source(stream);
    take_target(stream);
  }

  void take_source(const SpecStream& stream) {
    if (const auto number = number_of(stream.src.node, "input_")) {
      if (stream.src.type != DataType::chunks) fault(stream, "src", "an input gives chunks");
      note(spec_.inputs, *number);
    } else if (SpecNode* node = find(stream.src.node)) {
      insert_sorted(node->outputs, stream.src.port);
      if (node->kind != nullptr && !contains(node->kind->outputs, stream.src.type)) {
        fault(stream, "src", "stage " + node->stage + " gives " + types_text(node->kind->outputs));
      }
    } else {
      fault(stream, "src", "there is no node \"" + stream.src.node + "\"");
    }
  }

  void take_target(const SpecStream& stream) {
    if (const auto number = number_of(stream.dst.node, "output_")) {
      if (stream.dst.type != DataType::chunks) fault(stream, "dst", "an output takes chunks");
      note(spec_.outputs, *number);
      if (number_of(stream.src.node, "input_")) {
        fault(stream, "", "nothing is done between input and output");
      }
    } else if (SpecNode* node = find(stream.dst.node)) {
      insert_sorted(node->inputs, stream.dst.port);
      if (node->kind != nullptr && !contains(node->kind->inputs, stream.dst.type)) {
        fault(stream, "dst", "stage " + node->stage + " takes " + types_text(node->kind->inputs));
      }
    } else {
      fault(stream, "dst", "there is no node \"" + stream.dst.node + "\"");
    }
  }

  static void note(std::vector<std::uint64_t>& list, std::uint64_t number) {
    const auto at = std::lower_bound(list.begin(), list.end(), number);
    if (at == list.end() || *at != number) list.insert(at, number);
  }

  void check_ports(const SpecNode& node) {
    const auto add = [&](const char* key, const std::string& what) {
      faults_.add_at("node " + node.name, key, "node \"" + node.name + "\": " + what);
    };
    if (node.inputs.empty()) add("", "no stream ends at it");
    if (node.outputs.empty()) add("", "no stream begins at it: its work would be lost");
    check_delivered_types(node);
    const std::size_t count = node.inputs.size();
    if (node.kind != nullptr && count != 0 &&
        (count < node.kind->least_inputs || count > node.kind->most_inputs)) {
      add("stage", "stage " + node.stage + " takes " +
                       range(node.kind->least_inputs, node.kind->most_inputs) +
                       " input streams, not " + std::to_string(count));
    }
    if (node.delivery != nullptr && count != 0 &&
        (count < node.delivery->least_ports || count > node.delivery->most_ports)) {
      add("delivery_function", "delivery_function: " + std::string(node.delivery->name) +
                                   " delivers from " +
                                   range(node.delivery->least_ports, node.delivery->most_ports) +
                                   " input streams, not " + std::to_string(count));
    }
  }

  /// Windows and pieces are made of raw frames; a chunk is only handed on whole.
  void check_delivered_types(const SpecNode& node) {
    if (node.delivery == nullptr) return;
    const std::string_view name = node.delivery->name;
    const bool cuts =
        name == "split" || (name == "in_order_frames" && !node.delivery_parameters.empty());
    for (const std::string& port : node.inputs) {
      const auto type = type_of(port);
      const bool wrong = (cuts && type == DataType::chunks) ||
                         (name == "in_order_scenes" && type != DataType::scenes);
      if (!wrong) continue;
      faults_.add_at("node " + node.name, "delivery_function",
                     "node \"" + node.name + "\": delivery_function: " + std::string(name) +
                         " delivers " + (cuts ? "raw frames" : "scenes") + ", and " + port +
                         " is of type " + std::string(to_string(*type)));
    }
  }

  static std::string range(std::size_t least, std::size_t most) {
    return least == most ? std::to_string(least)
                         : std::to_string(least) + " to " + std::to_string(most);
  }

  /// Kahn's algorithm; what is left over is on a cycle or behind one.
  void sort() {
    std::vector<SpecNode> sorted;
    std::vector<SpecNode> left = std::move(spec_.nodes);
    spec_.nodes.clear();
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t i = 0; i < left.size(); ++i) {
        if (waits(left[i], left)) continue;
        left[i].depth = depth_of(left[i], sorted);
        sorted.push_back(std::move(left[i]));
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(i));
        moved = true;
        break;
      }
    }
    if (!left.empty()) report_cycle(left);
    spec_.nodes = std::move(sorted);
    for (SpecNode& node : left) spec_.nodes.push_back(std::move(node));
  }

  [[nodiscard]] bool waits(const SpecNode& node, const std::vector<SpecNode>& left) const {
    return std::any_of(spec_.streams.begin(), spec_.streams.end(), [&](const SpecStream& stream) {
      return stream.dst.node == node.name && has(left, stream.src.node);
    });
  }
  static bool has(const std::vector<SpecNode>& nodes, const std::string& name) {
    return std::any_of(nodes.begin(), nodes.end(),
                       [&](const SpecNode& node) { return node.name == name; });
  }
  [[nodiscard]] std::uint64_t depth_of(const SpecNode& node,
                                       const std::vector<SpecNode>& upstream) const {
    std::uint64_t depth = 0;
    for (const SpecStream& stream : spec_.streams) {
      if (stream.dst.node != node.name) continue;
      for (const SpecNode& each : upstream) {
        if (each.name == stream.src.node) depth = std::max(depth, each.depth + 1);
      }
    }
    return depth;
  }

  /// Walks upstream among what is left until a node comes again.
  void report_cycle(const std::vector<SpecNode>& left) {
    std::vector<std::string> path{left.front().name};
    while (true) {
      const auto up =
          std::find_if(spec_.streams.begin(), spec_.streams.end(), [&](const SpecStream& stream) {
            return stream.dst.node == path.back() && has(left, stream.src.node);
          });
      const auto seen = std::find(path.begin(), path.end(), up->src.node);
      if (seen == path.end()) {
        path.push_back(up->src.node);
        continue;
      }
      std::string text = up->src.node;
      for (auto at = path.end(); at != seen;) text += " -> " + *--at;
      faults_.add_at(object_of(*up), "",
                     "stream " + up->src.text() + " -> " + up->dst.text() + ": a cycle: " + text);
      return;
    }
  }

  Pipespec& spec_;
  Faults& faults_;
  std::set<std::pair<std::string, std::string>> pairs_;
  std::set<std::string> targets_;
};

}  // namespace

void connect(Pipespec& spec, Faults& faults) {
  Connector(spec, faults).run();
}

}  // namespace particle::sprocket
