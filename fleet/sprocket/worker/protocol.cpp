// SPDX-License-Identifier: Apache-2.0
#include "worker/protocol.hpp"

namespace particle::sprocket {
namespace {

using Json = nlohmann::json;

Json to_json(const Place& place) {
  Json json{{"start", place.start}, {"bytes", place.bytes}, {"checksum", place.checksum}};
  if (place.path.empty()) {
    json["address"] = place.address;
    json["port"] = place.port;
    json["blob"] = place.blob;
  } else {
    json["path"] = place.path;
  }
  return json;
}

Place place_from(const Json& json) {
  Place place;
  place.start = json.at("start");
  place.bytes = json.at("bytes");
  place.checksum = json.at("checksum");
  place.path = json.value("path", "");
  if (place.path.empty()) {
    place.address = json.at("address");
    place.port = json.at("port");
    place.blob = json.at("blob");
  }
  return place;
}

Json to_json(const Source& source) {
  Json json{{"path", source.path},
            {"stream", source.stream},
            {"seek", source.seek},
            {"start_pts", source.start_pts}};
  if (source.end_pts) json["end_pts"] = *source.end_pts;
  return json;
}

Source source_from(const Json& json) {
  Source source;
  source.path = json.at("path");
  source.stream = json.at("stream");
  source.seek = json.at("seek");
  source.start_pts = json.at("start_pts");
  if (json.contains("end_pts")) source.end_pts = json["end_pts"].get<std::int64_t>();
  return source;
}

DataType type_from(const Json& json) {
  const auto type = type_of(json.at("type").get_ref<const std::string&>());
  return type ? *type : DataType::frames;
}

/// Throws what nlohmann throws; the callers turn it into an error.
std::optional<Format> format_from(const Json& json) {
  if (!json.contains("format")) return {};
  auto format = format_from_json(json["format"]);
  if (!format) return {};
  return std::move(*format);
}

Json to_json(const TaskSlice& slice) {
  Json json{{"item", slice.item},
            {"offset", slice.offset},
            {"frames", slice.frames},
            {"whole", slice.whole}};
  if (slice.source) {
    json["source"] = to_json(*slice.source);
  } else {
    json["place"] = to_json(slice.place);
  }
  if (slice.format) json["format"] = to_json(*slice.format);
  return json;
}

TaskSlice slice_from(const Json& json) {
  TaskSlice slice;
  slice.item = json.at("item");
  slice.offset = json.at("offset");
  slice.frames = json.at("frames");
  slice.whole = json.at("whole");
  if (json.contains("source")) {
    slice.source = source_from(json["source"]);
  } else {
    slice.place = place_from(json.at("place"));
  }
  slice.format = format_from(json);
  return slice;
}

Error wrong(const char* what, const Json::exception& error) {
  return Error::of(Errc::protocol, std::string(what) + ": " + error.what());
}

}  // namespace

std::string encode_task(const TaskMessage& task) {
  Json inputs = Json::array();
  for (const TaskInput& input : task.inputs) {
    Json slices = Json::array();
    for (const TaskSlice& slice : input.slices) slices.push_back(to_json(slice));
    inputs.push_back({{"port", input.port}, {"type", to_string(input.type)}, {"slices", slices}});
  }
  Json outputs = Json::array();
  for (const TaskOutput& output : task.outputs) {
    outputs.push_back(
        {{"port", output.port}, {"type", to_string(output.type)}, {"path", output.path}});
  }
  const Json body{{"node", task.node},
                  {"stage", task.stage},
                  {"parameters", task.parameters},
                  {"number", task.number},
                  {"first", task.first},
                  {"span", task.span},
                  {"frames", task.frames},
                  {"context", task.context},
                  {"scene", task.scene},
                  {"inputs", std::move(inputs)},
                  {"outputs", std::move(outputs)}};
  return Json{{"task", body}}.dump() + "\n";
}

Result<TaskMessage> parse_task(const Json& json) try {
  TaskMessage task;
  task.node = json.at("node");
  task.stage = json.at("stage");
  task.parameters = json.at("parameters");
  task.number = json.at("number");
  task.first = json.at("first");
  task.span = json.at("span");
  task.frames = json.at("frames");
  task.context = json.at("context");
  task.scene = json.at("scene");
  for (const Json& input : json.at("inputs")) {
    TaskInput& out = task.inputs.emplace_back();
    out.port = input.at("port");
    out.type = type_from(input);
    for (const Json& slice : input.at("slices")) out.slices.push_back(slice_from(slice));
  }
  for (const Json& output : json.at("outputs")) {
    TaskOutput& out = task.outputs.emplace_back();
    out.port = output.at("port");
    out.type = type_from(output);
    out.path = output.at("path");
  }
  return task;
} catch (const Json::exception& error) {
  return fail(wrong("task", error));
}

std::string encode_done(const DoneMessage& done) {
  Json outputs = Json::array();
  for (const DoneOutput& output : done.outputs) {
    Json items = Json::array();
    for (const DoneItem& each : output.items) {
      items.push_back({{"first", each.item.first},
                       {"span", each.item.span},
                       {"frames", each.item.frames},
                       {"starts_scene", each.item.starts_scene},
                       {"cuts", each.item.cuts},
                       {"place", to_json(each.place)}});
    }
    Json json{{"port", output.port}, {"items", std::move(items)}};
    if (output.format) json["format"] = to_json(*output.format);
    outputs.push_back(std::move(json));
  }
  return Json{{"done",
               {{"outputs", std::move(outputs)},
                {"pulled_ns", done.pulled.count()},
                {"handed_ns", done.handed.count()}}}}
             .dump() +
         "\n";
}

Result<DoneMessage> parse_done(const Json& json) try {
  DoneMessage done;
  for (const Json& output : json.at("outputs")) {
    DoneOutput& out = done.outputs.emplace_back();
    out.port = output.at("port");
    out.format = format_from(output);
    for (const Json& each : output.at("items")) {
      DoneItem& item = out.items.emplace_back();
      item.item.first = each.at("first");
      item.item.span = each.at("span");
      item.item.frames = each.at("frames");
      item.item.starts_scene = each.at("starts_scene");
      each.at("cuts").get_to(item.item.cuts);
      item.place = place_from(each.at("place"));
    }
  }
  done.pulled = std::chrono::nanoseconds(json.value("pulled_ns", std::int64_t{0}));
  done.handed = std::chrono::nanoseconds(json.value("handed_ns", std::int64_t{0}));
  return done;
} catch (const Json::exception& error) {
  return fail(wrong("done message", error));
}

std::string encode_error(const ErrorMessage& error) {
  Json json{{"what", error.what}, {"hint", error.hint}};
  if (error.unreachable) json["unreachable"] = *error.unreachable;
  // What a program wrote to its standard error need not be UTF-8.
  return Json{{"error", json}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ErrorMessage> parse_error(const Json& json) try {
  ErrorMessage error;
  error.what = json.at("what");
  error.hint = json.at("hint");
  if (json.contains("unreachable")) error.unreachable = json["unreachable"].get<std::uint64_t>();
  return error;
} catch (const Json::exception& error) {
  return fail(wrong("error message", error));
}

}  // namespace particle::sprocket
