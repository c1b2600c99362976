// SPDX-License-Identifier: Apache-2.0
#include "trace/trace.hpp"

#include "document/document.hpp"

namespace particle::trace {
namespace {

Json to_json(const Attribution& attribution) {
  const double all = attribution.total();
  Json out = Json::array();
  for (const auto& row : attribution.rows) {
    const double ms = row.share.total();
    if (ms <= 0) continue;
    out.push_back({{"id", row.operation.id},
                   {"name", row.operation.name},
                   {"ms", ms},
                   {"share", ms / all},
                   {"running_ms", row.share.running_ms},
                   {"rcu_ms", row.share.rcu_ms},
                   {"rtnl_ms", row.share.rtnl_ms},
                   {"blocked_ms", row.share.blocked_ms},
                   {"runnable_ms", row.share.runnable_ms}});
  }
  return out;
}

Json steps_json(const Observations& seen) {
  Json out = Json::array();
  for (const auto& step : seen.steps) {
    out.push_back({{"name", step.name},
                   {"count", step.count},
                   {"ms", step.ms},
                   {"operations", to_json(attribute(seen.entries, step.name))}});
  }
  return out;
}

Json locks_json(const Observations& seen) {
  Json out = Json::array();
  for (const auto& lock : seen.locks) {
    out.push_back({{"where", lock.where},
                   {"count", lock.count},
                   {"ms", lock.ms},
                   {"longest_ms", lock.longest_ms}});
  }
  return out;
}

Json functions_json(const Observations& seen) {
  Json out = Json::array();
  for (const auto& each : seen.functions) {
    out.push_back(
        {{"function", each.function}, {"what", each.what}, {"count", each.count}, {"ms", each.ms}});
  }
  return out;
}

Json stacks_json(const Observations& seen) {
  Json out = Json::array();
  for (const auto& entry : seen.entries) {
    out.push_back({{"command", entry.command},
                   {"step", entry.step},
                   {"kind", to_string(entry.kind)},
                   {"ms", entry.ms},
                   {"operation", operation_of(entry)},
                   {"frames", entry.frames}});
  }
  return out;
}

// ---- reading: nlohmann's exceptions for missing keys and wrong types end in parse_trace ------------

Kind kind_of(const std::string& name) {
  if (name == "blocked") return Kind::blocked;
  return name == "runnable" ? Kind::runnable : Kind::running;
}

Observations observations(const Json& json) {
  Observations out;
  json.at("wall_ms").get_to(out.wall_ms);
  for (const auto& each : json.at("stacks")) {
    out.entries.push_back(
        {each.at("command").get<std::string>(), each.at("step").get<std::string>(),
         kind_of(each.at("kind").get<std::string>()),
         each.at("frames").get<std::vector<std::string>>(), each.at("ms").get<double>()});
  }
  for (const auto& each : json.at("locks")) {
    out.locks.push_back({each.at("where").get<std::string>(), each.at("count").get<std::uint64_t>(),
                         each.at("ms").get<double>(), each.at("longest_ms").get<double>()});
  }
  for (const auto& each : json.at("steps")) {
    out.steps.push_back({each.at("name").get<std::string>(), each.at("count").get<std::uint64_t>(),
                         each.at("ms").get<double>()});
  }
  for (const auto& each : json.at("functions")) {
    out.functions.push_back({each.at("function").get<std::string>(),
                             each.at("what").get<std::string>(),
                             each.at("count").get<std::uint64_t>(), each.at("ms").get<double>()});
  }
  json.at("functions_by").get_to(out.functions_by);
  json.at("forks").get_to(out.forks);
  json.at("execs").get_to(out.execs);
  json.at("lost").get_to(out.lost);
  json.at("hertz").get_to(out.hertz);
  json.at("own_ms").get_to(out.programs_ms);
  json.at("missing").get_to(out.missing);
  return out;
}

Trace trace(const Json& json) {
  Trace out;
  json.at("program").get_to(out.program);
  json.at("command").get_to(out.command);
  if (!json.at("process").is_null()) out.process = json.at("process").get<int>();
  if (!json.at("exit_code").is_null()) out.exit_code = json.at("exit_code").get<int>();
  out.seen = observations(json);
  return out;
}

}  // namespace

Json to_json(const Trace& trace) {
  const auto& seen = trace.seen;
  const auto attribution = attribute(seen.entries);
  return {{"format", kTraceFormat},
          {"version", kTraceVersion},
          {"program", trace.program},
          {"command", trace.command},
          {"process", trace.process ? Json(*trace.process) : Json(nullptr)},
          {"exit_code", trace.exit_code ? Json(*trace.exit_code) : Json(nullptr)},
          {"wall_ms", seen.wall_ms},
          {"own_ms", seen.programs_ms},
          {"hertz", seen.hertz},
          {"total_ms", attribution.total()},
          {"idle_ms", attribution.idle_ms},
          {"forks", seen.forks},
          {"execs", seen.execs},
          {"lost", seen.lost},
          {"missing", seen.missing},
          {"operations", to_json(attribution)},
          {"steps", steps_json(seen)},
          {"locks", locks_json(seen)},
          {"functions_by", seen.functions_by},
          {"functions", functions_json(seen)},
          {"stacks", stacks_json(seen)}};
}

Result<Trace> parse_trace(std::string_view text, const std::string& name) {
  return bench::read_document(text, name,
                              {kTraceFormat, kTraceVersion, "trace", "particle trace --out FILE"},
                              [](const Json& json) { return trace(json); });
}

}  // namespace particle::trace
