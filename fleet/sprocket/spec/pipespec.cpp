// SPDX-License-Identifier: Apache-2.0
#include <particle_sprocket/pipespec.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "spec/faults.hpp"
#include "spec/graph.hpp"
#include "spec/positions.hpp"

namespace particle::sprocket {
namespace {

using Json = nlohmann::json;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
         });
}

/// Reads the two lists. What cannot be read is left out of the result and named in the faults.
class Reader {
 public:
  Reader(const Json& document, Faults& faults) : document_(document), faults_(faults) {}

  Pipespec read() {
    if (!document_.is_object()) {
      faults_.add("", "a pipespec is an object with \"nodes\" and \"streams\"");
      return {};
    }
    only_keys(document_, "", {"nodes", "streams", "description"}, "");
    list("nodes", [&](const Json& entry, const std::string& at) { read_node(entry, at); });
    list("streams", [&](const Json& entry, const std::string& at) { read_stream(entry, at); });
    return std::move(spec_);
  }

 private:
  template <class Take>
  void list(const char* key, Take take) {
    const auto found = document_.find(key);
    if (found == document_.end() || !found->is_array() || found->empty()) {
      faults_.add(found == document_.end() ? "" : std::string("/") + key,
                  std::string("\"") + key + "\" must be a list that is not empty");
      return;
    }
    for (std::size_t i = 0; i < found->size(); ++i) {
      const std::string at = std::string("/") + key + "/" + std::to_string(i);
      if (!(*found)[i].is_object()) {
        faults_.add(at, std::string("an entry of \"") + key + "\" must be an object");
      } else {
        take((*found)[i], at);
      }
    }
  }

  void only_keys(const Json& object, const std::string& at, const std::set<std::string>& known,
                 const std::string& subject) {
    for (const auto& [key, value] : object.items()) {
      if (!known.contains(key))
        faults_.add(at + "/" + key, subject + "unknown key \"" + key + "\"");
    }
  }

  std::optional<std::string> text(const Json& object, const std::string& at, const char* key,
                                  const std::string& subject) {
    const auto found = object.find(key);
    if (found == object.end()) {
      faults_.add(at, subject + "\"" + key + "\" is missing");
      return {};
    }
    if (!found->is_string()) {
      faults_.add(at + "/" + key, subject + key + ": must be text");
      return {};
    }
    return found->get<std::string>();
  }

  Json object(const Json& entry, const std::string& at, const char* key,
              const std::string& subject) {
    const auto found = entry.find(key);
    if (found == entry.end()) return Json::object();
    if (found->is_object()) return *found;
    faults_.add(at + "/" + key, subject + key + ": must be an object");
    return Json::object();
  }

  void read_node(const Json& entry, const std::string& at) {
    SpecNode node;
    const auto name = text(entry, at, "name", "a node: ");
    const std::string subject = name ? "node \"" + *name + "\": " : "a node: ";
    only_keys(entry, at,
              {"name", "stage", "parameters", "delivery_function", "delivery_parameters"}, subject);
    node.parameters = object(entry, at, "parameters", subject);
    node.delivery_parameters = object(entry, at, "delivery_parameters", subject);
    read_stage(entry, at, subject, node);
    read_delivery(entry, at, subject, node);
    if (!name || !check_name(*name, at, subject)) return;
    node.name = *name;
    faults_.place("node " + node.name, at);
    spec_.nodes.push_back(std::move(node));
  }

  bool check_name(const std::string& name, const std::string& at, const std::string& subject) {
    if (!is_name(name)) {
      faults_.add(at + "/name", subject + "name: 1 to 64 letters, digits, `_`, `-` and `.`");
    } else if (name.starts_with("input_") || name.starts_with("output_")) {
      faults_.add(at + "/name", subject + "name: input_N and output_N are what a run is given");
    } else if (spec_.find(name) != nullptr) {
      faults_.add(at + "/name", subject + "name: another node has it");
    } else {
      return true;
    }
    return false;
  }

  void read_stage(const Json& entry, const std::string& at, const std::string& subject,
                  SpecNode& node) {
    const auto stage = text(entry, at, "stage", subject);
    if (!stage) return;
    node.stage = *stage;
    node.kind = find_stage(*stage);
    if (node.kind == nullptr) {
      std::string known;
      for (const StageKind* kind : stage_kinds()) known += std::string(kind->name) + ", ";
      faults_.add(at + "/stage", subject + "stage: there is no stage \"" + *stage +
                                     "\"; there are " + known + "exec:/PATH");
      return;
    }
    for (const auto& [key, why] : check_parameters(*node.kind, node.parameters)) {
      faults_.add(at + "/parameters/" + key, subject + "parameters: " + key + ": " + why);
    }
  }

  void read_delivery(const Json& entry, const std::string& at, const std::string& subject,
                     SpecNode& node) {
    std::string name;
    if (entry.contains("delivery_function")) {
      name = text(entry, at, "delivery_function", subject).value_or("");
    }
    node.delivery = find_delivery(name);
    if (node.delivery == nullptr) {
      std::string known;
      for (const DeliveryKind& kind : delivery_kinds()) {
        known += (known.empty() ? "" : ", ") + std::string(kind.name);
      }
      faults_.add(at + "/delivery_function",
                  subject + "delivery_function: there is no \"" + name + "\"; there are " + known);
      return;
    }
    for (const auto& [key, why] : check_delivery(*node.delivery, node.delivery_parameters)) {
      faults_.add(at + "/delivery_parameters/" + key,
                  subject + "delivery_parameters: " + key + ": " + why);
    }
  }

  void read_stream(const Json& entry, const std::string& at) {
    only_keys(entry, at, {"src", "dst"}, "a stream: ");
    const auto src = read_end(entry, at, "src");
    const auto dst = read_end(entry, at, "dst");
    if (!src || !dst) return;
    faults_.place("stream " + src->text() + " " + dst->text(), at);
    spec_.streams.push_back({*src, *dst});
  }

  std::optional<StreamEnd> read_end(const Json& entry, const std::string& at, const char* key) {
    const auto value = text(entry, at, key, "a stream: ");
    if (!value) return {};
    const auto colon = value->find(':');
    StreamEnd end;
    end.node = value->substr(0, colon);
    if (colon != std::string::npos) end.port = value->substr(colon + 1);
    if (!is_name(end.node) || !is_name(end.port)) {
      faults_.add(at + "/" + key, std::string(key) + " \"" + *value +
                                      "\": must be NODE:IDENTIFIER, as \"decode_0:frames\"");
      return {};
    }
    const auto type = type_of(end.port);
    if (!type) {
      faults_.add(at + "/" + key, std::string(key) + " \"" + *value +
                                      "\": the identifier must begin with its type: chunks, frames "
                                      "or scenes");
      return {};
    }
    end.type = *type;
    return end;
  }

  const Json& document_;
  Faults& faults_;
  Pipespec spec_;
};

}  // namespace

const SpecNode* Pipespec::find(std::string_view node) const noexcept {
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [&](const SpecNode& each) { return each.name == node; });
  return found == nodes.end() ? nullptr : &*found;
}

Result<Pipespec> parse_pipespec(std::string_view text, const std::string& name) {
  auto positions = find_positions(text, name);
  if (!positions) return fail(std::move(positions.error()));
  Faults faults(name, *positions);
  const Json document = Json::parse(text);
  Pipespec spec = Reader(document, faults).read();
  spec.name = name;
  connect(spec, faults);
  if (auto ok = faults.verdict(); !ok) return fail(std::move(ok.error()));
  return spec;
}

}  // namespace particle::sprocket
