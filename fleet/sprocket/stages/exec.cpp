// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "stages/common.hpp"
#include "worker/memory_file.hpp"
#include "worker/program.hpp"

namespace particle::sprocket {
namespace {

using Json = nlohmann::json;

std::string path_of(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

Json describe_source(const Source& source) {
  Json json{{"path", source.path},
            {"stream", source.stream},
            {"seek", source.seek},
            {"start_pts", source.start_pts}};
  if (source.end_pts) json["end_pts"] = *source.end_pts;
  return json;
}

/// The line that the program reads. docs/pipelines.md describes it.
Json describe(const Work& work, int first_descriptor) {
  Json inputs = Json::array();
  int descriptor = first_descriptor;
  for (const WorkInput& input : work.inputs) {
    Json json{{"port", input.port}, {"type", to_string(input.type)}};
    if (input.format) json["format"] = to_json(*input.format);
    if (input.source) {
      json["source"] = describe_source(*input.source);
    } else {
      json["path"] = path_of(descriptor++);
    }
    inputs.push_back(std::move(json));
  }
  Json outputs = Json::array();
  for (const WorkOutput& output : work.outputs) {
    outputs.push_back(
        {{"port", output.port}, {"type", to_string(output.type)}, {"path", path_of(descriptor++)}});
  }
  return {{"first", work.first},         {"frames", work.frames},
          {"span", work.span},           {"context", work.context},
          {"scene", work.scene},         {"parameters", work.parameters},
          {"inputs", std::move(inputs)}, {"outputs", std::move(outputs)}};
}

Result<void> take_item(const Work& work, const Json& json, WorkOutput& output) {
  WorkItem item;
  item.first = json.value("first", work.first);
  item.frames = json.at("frames").get<std::uint64_t>();
  item.span = json.value("span", item.frames);
  item.starts_scene = json.value("starts_scene", false);
  item.cuts = json.value("cuts", std::vector<std::uint64_t>{});
  if (output.type != DataType::chunks) {
    if (!output.format) return fail(Error::of(Errc::protocol, output.port + ": format is missing"));
    item.bytes = item.frames * output.format->frame_bytes;
  }
  item.start = output.items.empty() ? 0 : output.items.back().start + output.items.back().bytes;
  output.items.push_back(std::move(item));
  return {};
}

Result<void> take_output(const Work& work, const Json& answer, WorkOutput& output) try {
  const Json& json = answer.at("outputs").at(output.port);
  output.format = work.inputs.front().format;
  if (json.contains("format")) {
    auto format = format_from_json(json["format"]);
    if (!format) return fail(std::move(format.error()));
    output.format = std::move(*format);
  }
  if (!json.contains("items")) {
    output.frames = json.at("frames").get<std::uint64_t>();
    return {};
  }
  for (const Json& item : json["items"]) {
    if (auto ok = take_item(work, item, output); !ok) return ok;
  }
  if (output.type == DataType::chunks && output.items.size() == 1) {
    const auto size = size_of(output.data.get());
    if (!size) return fail(size.error());
    output.items.front().bytes = *size;
  }
  return {};
} catch (const Json::exception& error) {
  return fail(Error::of(Errc::protocol,
                        "answer of " + work.stage + " on " + output.port + ": " + error.what()));
}

Result<void> run(Work& work) {
  auto question = open_memory_file("question");
  auto answer = open_memory_file("answer");
  if (!question) return fail(std::move(question.error()));
  if (!answer) return fail(std::move(answer.error()));
  Program program{{work.stage.substr(work.stage.find(':') + 1)},
                  {{0, question->get()}, {1, answer->get()}}};
  int descriptor = kFirstInput;
  for (const WorkInput& input : work.inputs) {
    if (!input.source) program.descriptors.emplace_back(descriptor++, input.data.get());
  }
  for (WorkOutput& output : work.outputs) {
    auto file = open_memory_file("output");
    if (!file) return fail(std::move(file.error()));
    output.data = std::move(*file);
    program.descriptors.emplace_back(descriptor++, output.data.get());
  }
  const std::string line = describe(work, kFirstInput).dump() + "\n";
  if (auto ok = write_all(question->get(), line, "the task"); !ok) return ok;
  ::lseek(question->get(), 0, SEEK_SET);
  if (auto ok = run_program(program); !ok) return ok;
  const auto text = read_whole(answer->get(), "the answer");
  if (!text) return fail(text.error());
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) {
    return fail(Error::of(Errc::protocol, work.stage + ": its standard output is not a JSON object",
                          "docs/pipelines.md describes the protocol"));
  }
  for (WorkOutput& output : work.outputs) {
    if (auto ok = take_output(work, json, output); !ok) return ok;
  }
  return {};
}

bool keeps(const Json& parameters) {
  return !parameters.value("drops_frames", false);
}

}  // namespace

const StageKind& exec_stage() {
  static const StageKind kind{.name = "exec",
                              .summary = "Runs an executable that keeps the line protocol.",
                              .inputs = {DataType::chunks, DataType::frames, DataType::scenes},
                              .least_inputs = 1,
                              .most_inputs = 16,
                              .outputs = {DataType::chunks, DataType::frames, DataType::scenes},
                              .parameters = {{"drops_frames", ParameterKind::flag, false,
                                              "whether fewer frames may come out than went in"}},
                              .any_parameters = true,
                              .keeps_frames = keeps,
                              .run = run};
  return kind;
}

}  // namespace particle::sprocket
