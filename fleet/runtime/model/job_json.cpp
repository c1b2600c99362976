// SPDX-License-Identifier: Apache-2.0
#include "model/job_json.hpp"

#include "model/base64.hpp"
#include "model/names.hpp"

namespace particle::fleet {
namespace {

using std::chrono::milliseconds;

Json limits_to_json(const Limits& limits) {
  Json out = Json::object();
  if (limits.memory) out["memory"] = *limits.memory;
  if (limits.cpus) out["cpus"] = *limits.cpus;
  if (limits.pids) out["pids"] = *limits.pids;
  if (limits.wall_time.count() != 0) out["wall_time_ms"] = limits.wall_time.count();
  return out;
}

Limits read_limits(const Json& value, const std::string& where, Faults& faults) {
  Limits limits;
  ObjectReader reader(value, where, faults);
  limits.memory = reader.number("memory");
  limits.cpus = reader.decimal("cpus");
  limits.pids = reader.number("pids");
  constexpr std::uint64_t kMostMilliseconds = 1ULL << 40;  // check_function says what is sensible
  limits.wall_time = milliseconds(
      static_cast<std::int64_t>(reader.number("wall_time_ms", kMostMilliseconds).value_or(0)));
  reader.no_more();
  return limits;
}

Json mounts_to_json(const std::vector<Mount>& mounts) {
  Json out = Json::array();
  for (const Mount& mount : mounts) {
    out.push_back(
        {{"source", mount.source}, {"target", mount.target}, {"writable", mount.writable}});
  }
  return out;
}

Mount read_mount(const Json& value, const std::string& where, Faults& faults) {
  Mount mount;
  ObjectReader reader(value, where + ".", faults);
  reader.need_text("source", mount.source);
  reader.need_text("target", mount.target);
  reader.flag("writable", mount.writable);
  reader.no_more();
  return mount;
}

void read_mechanism(ObjectReader& reader, bind::Mechanism& out) {
  std::string text;
  reader.text("enforce", text);
  if (text.empty()) return;
  const auto mechanism = bind::parse_mechanism(text);
  if (mechanism) {
    out = *mechanism;
  } else {
    reader.fault("enforce", in_quotes(text) + " is none of auto, ebpf, seccomp, preload, off");
  }
}

/// `input` where it is readable text, `input_base64` for any bytes.
void read_input(ObjectReader& reader, std::string& out) {
  reader.text("input", out);
  std::string encoded;
  reader.text("input_base64", encoded);
  if (encoded.empty()) return;
  if (!out.empty()) return reader.fault("input_base64", "`input` is given, too");
  auto decoded = decode_base64(encoded);
  if (!decoded) return reader.fault("input_base64", "not base64");
  out = std::move(*decoded);
}

}  // namespace

Json function_to_json(const Function& function) {
  return {
      {"image", function.image},
      {"command", function.command},
      {"environment", function.environment},
      {"directory", function.directory},
      {"mounts", mounts_to_json(function.mounts)},
      {"limits", limits_to_json(function.limits)},
      {"enforce", bind::to_string(function.enforce)},
      {"retries", function.retries},
  };
}

Function read_function(const Json& value, const std::string& where, Faults& faults) {
  Function function;
  ObjectReader reader(value, where, faults);
  reader.text("image", function.image);
  reader.texts("command", function.command);
  reader.texts("environment", function.environment);
  reader.text("directory", function.directory);
  reader.each("mounts", [&](const Json& mount, const std::string& path) {
    function.mounts.push_back(read_mount(mount, path, faults));
  });
  if (const Json* limits = reader.find("limits")) {
    function.limits = read_limits(*limits, reader.path("limits."), faults);
  }
  read_mechanism(reader, function.enforce);
  function.retries = static_cast<std::uint32_t>(reader.number("retries", UINT32_MAX).value_or(0));
  reader.no_more();
  return function;
}

Json job_to_json(const JobSpec& job) {
  return {{"id", job.id},
          {"pool", job.pool},
          {"function", function_to_json(job.function)},
          {"concurrency", job.concurrency},
          {"placement", to_string(job.placement)}};
}

JobSpec read_job(const Json& value, const std::string& where, Faults& faults) {
  JobSpec job;
  ObjectReader reader(value, where, faults);
  reader.need_text("id", job.id);
  reader.need_text("pool", job.pool);
  if (const Json* function = reader.need("function")) {
    job.function = read_function(*function, reader.path("function."), faults);
  }
  job.concurrency = reader.number("concurrency").value_or(0);
  std::string placement;
  reader.text("placement", placement);
  if (!placement.empty()) {
    if (const auto parsed = parse_placement(placement)) {
      job.placement = *parsed;
    } else {
      reader.fault("placement", parsed.error().hint);
    }
  }
  reader.no_more();
  return job;
}

Json instance_to_json(const InstanceSpec& instance) {
  Json out = {{"index", instance.index}};
  if (!instance.input.empty()) out["input_base64"] = encode_base64(instance.input);
  if (instance.keep_input) out["keep_input"] = true;
  if (!instance.environment.empty()) out["environment"] = instance.environment;
  if (!instance.command.empty()) out["command"] = instance.command;
  if (instance.node) out["node"] = *instance.node;
  if (instance.address) out["address"] = instance.address->to_string();
  return out;
}

InstanceSpec read_instance(const Json& value, const std::string& where, Faults& faults) {
  InstanceSpec instance;
  ObjectReader reader(value, where, faults);
  reader.need("index");
  instance.index = reader.number("index").value_or(0);
  read_input(reader, instance.input);
  reader.flag("keep_input", instance.keep_input);
  reader.texts("environment", instance.environment);
  reader.texts("command", instance.command);
  std::string node;
  std::string address;
  reader.text("node", node);
  if (!node.empty()) instance.node = node;
  reader.text("address", address);
  if (!address.empty()) {
    const auto parsed = IpAddress::parse(address);
    if (parsed) {
      instance.address = *parsed;
    } else {
      reader.fault("address", in_quotes(address) + " is no IP address");
    }
  }
  reader.no_more();
  return instance;
}

}  // namespace particle::fleet
