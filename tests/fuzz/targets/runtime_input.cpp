// SPDX-License-Identifier: Apache-2.0
// Bytes as what particle-runc reads: a bundle, its own record, its settings, a command line. What is
// no JSON is refused, never an exception; what is rewritten stays JSON, with the changes in it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>

#include "runtime/bundle.hpp"
#include "runtime/command_line.hpp"
#include "runtime/record.hpp"
#include "runtime/settings.hpp"

namespace {

using namespace particle::runtime;
using Json = nlohmann::json;

void require(bool condition) {
  if (!condition) std::abort();
}

bool has_path(const Json& config, const std::string& path) {
  for (const Json& item : config["linux"]["namespaces"]) {
    if (item.is_object() && item.value("path", Json()) == path) return true;
  }
  return false;
}

void rewrite_bundle(const std::string& text) {
  const auto json = JsonText::parse(text);
  if (!json) return;
  require(JsonEdits(*json).apply() == json->text());
  static_cast<void>(read_facts(*json, true));
  BundleChanges changes;
  changes.netns_path = "/the/pool's";
  changes.environment = {{"PARTICLE_IP", "10.1.0.7"}, {"PARTICLE_IP6", std::nullopt}};
  changes.hosts_path = "/hosts";
  changes.mounts = {R"({"destination":"/x"})"};
  changes.create_runtime_hooks = {R"({"path":"/x"})"};
  const auto changed = rewrite(*json, changes);
  if (!changed) return;
  const Json result = Json::parse(*changed, nullptr, false);
  require(!result.is_discarded() && has_path(result, *changes.netns_path));
  // Once more: what is in place already changes nothing but the lists that grow.
  const auto again = JsonText::parse(*changed);
  require(again.has_value() && rewrite(*again, changes).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  rewrite_bundle(text);
  if (const auto process = JsonText::parse(text)) {
    BundleChanges changes;
    changes.environment = {{"A", "b"}};
    changes.dropped_capabilities = {"CAP_NET_RAW"};
    static_cast<void>(rewrite_process(*process, changes));
  }
  if (const auto record = parse_record(text, "record.json")) {
    const auto again = parse_record(to_text(*record), "record.json");
    require(again.has_value() && to_text(*again) == to_text(*record));
  }
  static_cast<void>(parse_settings(text));
  std::vector<std::string> words;
  std::istringstream lines(text);
  for (std::string word; std::getline(lines, word);) words.push_back(word);
  require(read_command_line(words).rest == words);
  return 0;
}
