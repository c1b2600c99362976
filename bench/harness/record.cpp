// SPDX-License-Identifier: Apache-2.0
#include "harness/record.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>

#include "document/document.hpp"

namespace particle::bench {
namespace {

Json to_json_with_values(const Series& series) {
  Json out = series.to_json();
  out["values"] = series.values();
  return out;
}

std::string step_name(std::size_t i) {
  return "S" + std::to_string(i + 1);
}

Json to_json(const Figure& figure) {
  Json steps = Json::object();
  for (std::size_t i = 0; i < kSteps; ++i) {
    if (!figure.steps_ms.at(i).empty()) {
      steps[step_name(i)] = to_json_with_values(figure.steps_ms.at(i));
    }
  }
  return {{"design", figure.design},
          {"endpoints", figure.endpoints},
          {"setup_ms", to_json_with_values(figure.setup_ms)},
          {"release_ms", to_json_with_values(figure.release_ms)},
          {"gone_ms", to_json_with_values(figure.gone_ms)},
          {"steps_ms", std::move(steps)},
          {"kernel_kib_each", to_json_with_values(figure.kernel_kib_each)},
          {"process_kib_each", to_json_with_values(figure.process_kib_each)}};
}

Json to_json(const DesignNote& note) {
  return {{"name", note.name},
          {"title", note.title},
          {"what", note.what},
          {"paper", note.paper},
          {"most", note.most},
          {"limit", note.limit},
          {"kind", note.kind == Kind::containers ? "containers" : "endpoints"}};
}

Json to_json(const Skipped& skipped) {
  return {{"design", skipped.design}, {"endpoints", skipped.endpoints}, {"why", skipped.why}};
}

template <class T>
Json list(const std::vector<T>& items) {
  Json out = Json::array();
  for (const auto& item : items) out.push_back(to_json(item));
  return out;
}

// ---- reading: nlohmann's exceptions for missing keys and wrong types end in parse_record ----------

Series series(const Json& json) {
  Series out;
  for (const auto& value : json.at("values")) out.add(value.get<double>());
  return out;
}

Figure figure(const Json& json) {
  Figure out;
  json.at("design").get_to(out.design);
  json.at("endpoints").get_to(out.endpoints);
  out.setup_ms = series(json.at("setup_ms"));
  out.release_ms = series(json.at("release_ms"));
  out.gone_ms = series(json.at("gone_ms"));
  const Json& steps = json.at("steps_ms");
  for (std::size_t i = 0; i < kSteps; ++i) {
    if (steps.contains(step_name(i))) out.steps_ms.at(i) = series(steps.at(step_name(i)));
  }
  out.kernel_kib_each = series(json.at("kernel_kib_each"));
  out.process_kib_each = series(json.at("process_kib_each"));
  return out;
}

DesignNote design_note(const Json& json) {
  DesignNote out;
  json.at("name").get_to(out.name);
  json.at("title").get_to(out.title);
  json.at("what").get_to(out.what);
  json.at("paper").get_to(out.paper);
  json.at("most").get_to(out.most);
  json.at("limit").get_to(out.limit);
  out.kind = json.at("kind") == "containers" ? Kind::containers : Kind::endpoints;
  return out;
}

Skipped skipped(const Json& json) {
  return {json.at("design").get<std::string>(), json.at("endpoints").get<std::uint64_t>(),
          json.at("why").get<std::string>()};
}

Record record(const Json& json) {
  Record out;
  json.at("program").get_to(out.program);
  json.at("complete").get_to(out.complete);
  out.machine = json.at("machine");
  out.settings = json.at("settings");
  for (const auto& each : json.at("designs")) out.designs.push_back(design_note(each));
  for (const auto& each : json.at("figures")) out.figures.push_back(figure(each));
  for (const auto& each : json.at("skipped")) out.skipped.push_back(skipped(each));
  json.at("notes").get_to(out.notes);
  out.traces = json.at("traces");
  out.programs = json.value("programs", Json::array());
  return out;
}

void check_series(const Json& value) {
  for (const char* key : {"median", "q1", "q3"}) static_cast<void>(value.at(key).get<double>());
}

/// Throws unless everything is there that the report shows.
void check_program(const Json& program) {
  static_cast<void>(program.at("program").get<std::string>());
  static_cast<void>(program.at("machine").at("date").get<std::string>());
  for (const auto& note : program.at("notes")) static_cast<void>(note.get<std::string>());
  for (const auto& figure : program.at("figures")) {
    static_cast<void>(figure.at("what").get<std::string>());
    if (figure.contains("value")) check_series(figure.at("value"));
    for (const char* key : {"left", "right"}) {
      if (!figure.contains(key)) continue;
      static_cast<void>(figure.at(key).at("name").get<std::string>());
      check_series(figure.at(key).at("value"));
    }
    for (const char* key : {"ratio", "at_most", "at_least"}) {
      if (figure.contains(key)) static_cast<void>(figure.at(key).get<double>());
    }
  }
}

}  // namespace

const Figure* Record::find(std::string_view design, std::uint64_t endpoints) const {
  const auto found = std::find_if(figures.begin(), figures.end(), [&](const Figure& each) {
    return each.design == design && each.endpoints == endpoints;
  });
  return found == figures.end() ? nullptr : &*found;
}

std::vector<const DesignNote*> Record::designs_of(Kind kind) const {
  std::vector<const DesignNote*> out;
  for (const auto& each : designs) {
    if (each.kind == kind) out.push_back(&each);
  }
  return out;
}

std::vector<std::uint64_t> Record::sizes(Kind kind) const {
  std::set<std::uint64_t> all;
  for (const auto* design : designs_of(kind)) {
    for (const auto& each : figures) {
      if (each.design == design->name) all.insert(each.endpoints);
    }
  }
  return {all.begin(), all.end()};
}

void add(Figure& figure, const Sample& sample) {
  figure.setup_ms.add(sample.setup_ms);
  figure.release_ms.add(sample.release_ms);
  figure.gone_ms.add(sample.gone_ms);
  for (std::size_t i = 0; i < kSteps; ++i) {
    if (sample.steps_ms.at(i)) figure.steps_ms.at(i).add(*sample.steps_ms.at(i));
  }
  const auto endpoints = static_cast<double>(figure.endpoints);
  figure.kernel_kib_each.add(sample.kernel_kib / endpoints);
  figure.process_kib_each.add(sample.process_kib / endpoints);
}

Json to_json(const Record& record) {
  Json out{{"format", kRecordFormat},         {"version", kRecordVersion},
           {"program", record.program},       {"complete", record.complete},
           {"machine", record.machine},       {"settings", record.settings},
           {"designs", list(record.designs)}, {"figures", list(record.figures)},
           {"skipped", list(record.skipped)}, {"notes", record.notes},
           {"traces", record.traces}};
  if (!record.programs.empty()) out["programs"] = record.programs;
  return out;
}

Result<Record> parse_record(std::string_view text, const std::string& name) {
  return read_document(
      text, name,
      {kRecordFormat, kRecordVersion, "result of particle bench", "particle bench --out FILE"},
      [](const Json& json) { return record(json); });
}

Result<Json> parse_programs(std::string_view text, const std::string& name) {
  Json json = Json::parse(text, nullptr, false);
  std::string why = "it is no list of benchmark programs' results";
  try {
    if (json.is_array() && !json.empty()) {
      for (const auto& program : json) check_program(program);
      return json;
    }
  } catch (const Json::exception& error) {
    why = error.what();
  }
  return fail(Error::of(Errc::invalid_argument, "read " + name + ": " + why,
                        "give a file that bench/run wrote"));
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Error::from_errno(errno, "open " + path));
  std::ostringstream text;
  text << file.rdbuf();
  // Of a directory nothing is read, and the stream says so only here.
  if (file.bad() || !text) return fail(Error::of(Errc::io, "read " + path, "is it a file?"));
  return text.str();
}

Result<Record> read_record(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return fail(text.error());
  return parse_record(*text, path);
}

}  // namespace particle::bench
