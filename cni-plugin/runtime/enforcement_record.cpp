// SPDX-License-Identifier: Apache-2.0
#include "enforcement_record.hpp"

#include <nlohmann/json.hpp>

#include "files.hpp"

namespace particle::runtime {
namespace {

using Json = nlohmann::json;

constexpr int kEnforcementVersion = 1;

Error unreadable(const std::string& path, const std::string& why) {
  return Error::of(Errc::corrupt_state, path + ": " + why,
                   "delete the container and make it again");
}

Json address(const std::optional<IpAddress>& value) {
  return value ? Json(value->to_string()) : Json(nullptr);
}

Result<std::optional<IpAddress>> take_address(const Json& value) {
  if (value.is_null()) return std::optional<IpAddress>{};
  auto parsed = IpAddress::parse(value.get<std::string>());
  if (!parsed) return fail(std::move(parsed.error()));
  return std::optional<IpAddress>(*parsed);
}

/// Throws what nlohmann::json throws.
Result<EnforcementRecord> take(const Json& json) {
  EnforcementRecord record;
  auto v4 = take_address(json.at("v4"));
  auto v6 = take_address(json.at("v6"));
  auto mechanism = bind::parse_mechanism(json.at("mechanism").get<std::string>());
  auto policy = bind::parse_policy(json.at("policy").get<std::string>());
  if (!v4) return fail(std::move(v4.error()));
  if (!v6) return fail(std::move(v6.error()));
  if (!mechanism) return fail(std::move(mechanism.error()));
  if (!policy) return fail(std::move(policy.error()));
  record.container = json.at("container");
  record.netns_path = json.at("netns");
  record.spec.run_dir = json.at("runDir");
  record.spec.node_id = json.at("node");
  record.spec.lease.pool = json.at("pool");
  record.spec.lease.holder = json.at("holder");
  record.spec.lease.endpoint = {json.at("index").get<std::uint64_t>(), *v4, *v6};
  record.spec.mechanism = *mechanism;
  record.spec.policy = *policy;
  record.spec.allow_raw = json.at("allowRaw");
  return record;
}

}  // namespace

std::string enforcement_path(const std::string& directory) {
  return directory + "/enforcement.json";
}

std::string to_text(const EnforcementRecord& record) {
  const bind::EnforceSpec& spec = record.spec;
  const Endpoint& endpoint = spec.lease.endpoint;
  const Json json{{"version", kEnforcementVersion},
                  {"container", record.container},
                  {"netns", record.netns_path},
                  {"runDir", spec.run_dir},
                  {"node", spec.node_id},
                  {"pool", spec.lease.pool},
                  {"holder", spec.lease.holder},
                  {"index", endpoint.index},
                  {"v4", address(endpoint.v4)},
                  {"v6", address(endpoint.v6)},
                  {"mechanism", bind::to_string(spec.mechanism)},
                  {"policy", bind::to_string(spec.policy)},
                  {"allowRaw", spec.allow_raw}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<EnforcementRecord> parse_enforcement(const std::string& text, const std::string& path) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(unreadable(path, "it is no JSON object"));
  try {
    if (json.at("version") != kEnforcementVersion)
      return fail(unreadable(path, "it is of another version"));
    auto record = take(json);
    if (!record) return fail(unreadable(path, record.error().message()));
    return record;
  } catch (const Json::exception& wrong) {
    return fail(unreadable(path, wrong.what()));
  }
}

Result<std::optional<EnforcementRecord>> read_enforcement(const std::string& directory) {
  const std::string path = enforcement_path(directory);
  auto text = read_file(path);
  if (!text) return fail(std::move(text.error()));
  if (!*text) return std::optional<EnforcementRecord>{};
  auto record = parse_enforcement(**text, path);
  if (!record) return fail(std::move(record.error()));
  return std::optional<EnforcementRecord>(*std::move(record));
}

}  // namespace particle::runtime
