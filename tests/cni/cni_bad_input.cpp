// SPDX-License-Identifier: Apache-2.0
// Configurations that must be refused: with the right code, and with every fault at once.
#include <doctest/doctest.h>

#include <fstream>
#include <set>

#include "netconf.hpp"
#include "plugin_driver.hpp"

namespace particle::test {
namespace {

const Json kGood = Json::parse(R"({
  "cniVersion": "1.1.0", "name": "web", "type": "particle-cni",
  "tenant": "acme", "vni": 100, "prefix": "10.1.0.0/24"})");

/// The fault of the good configuration with one member replaced.
std::optional<cni::CniError> fault_of(const char* key, const Json& value) {
  Json conf = kGood;
  conf[key] = value;
  auto parsed = cni::parse_netconf(conf.dump());
  if (!parsed) return parsed.error();
  return parsed->fault;
}

struct Bad {
  const char* key;
  Json value;
  cni::Code code;
};

}  // namespace

TEST_CASE("cni config: each wrong value is refused and named") {
  using cni::Code;
  const std::vector<Bad> table{
      {"tenant", "", Code::invalid_config},
      {"tenant", 7, Code::invalid_config},
      {"tenant", "a/b", Code::invalid_config},
      {"vni", 0, Code::invalid_config},
      {"vni", -1, Code::invalid_config},
      {"vni", 16777216, Code::invalid_config},
      {"vni", "100", Code::invalid_config},
      {"vni", 1.5, Code::invalid_config},
      {"prefix", 10, Code::invalid_config},
      {"prefix", "10.1.0.1/24", Code::invalid_config},
      {"prefix", "10.1.0.0/33", Code::invalid_config},
      {"prefix", Json::array(), Code::invalid_config},
      {"prefix", {"10.1.0.0/24", "10.2.0.0/24"}, Code::invalid_config},
      {"prefix", {"10.1.0.0/24", 7}, Code::invalid_config},
      {"ranges", Json::array(), Code::invalid_config},  // beside prefix
      {"count", 0, Code::invalid_config},
      {"count", 300, Code::invalid_config},
      {"mode", "fast", Code::invalid_config},
      {"isolation", "none", Code::invalid_config},
      {"attach", "magic", Code::invalid_config},
      {"attach", "stacked", Code::unsupported_field},
      {"attachment", "bridge", Code::invalid_config},
      {"mtu", 10, Code::invalid_config},
      {"mtu", 70000, Code::invalid_config},
      {"keepPool", -1, Code::invalid_config},
      {"keepPool", 1e12, Code::invalid_config},
      {"keepPool", 99999999, Code::invalid_config},
      {"runDir", "relative", Code::invalid_config},
      {"underlayIp", "nowhere", Code::invalid_config},
      {"dns", "9.9.9.9", Code::invalid_config},
      {"dns", {{"nameservers", "9.9.9.9"}}, Code::invalid_config},
      {"dns", {{"colour", "red"}}, Code::unsupported_field},
      {"runtimeConfig", 7, Code::invalid_config},
      {"runtimeConfig", {{"ips", {"x"}}}, Code::invalid_config},
      {"runtimeConfig", {{"mac", "02:00:00:00:00:07"}}, Code::unsupported_field},
      {"runtimeConfig", {{"portMappings", Json::array()}}, Code::unsupported_field},
      {"egress", "yes", Code::invalid_config},
      {"egress", 1, Code::invalid_config},
      {"overlay", "evpn", Code::unsupported_field},
      {"enforce", "preload", Code::unsupported_field},
      {"ipam", {{"type", "host-local"}}, Code::unsupported_field},
      {"colour", "red", Code::unsupported_field},
      {"cni.dev/valid-attachments", 7, Code::invalid_config},
      {"cni.dev/valid-attachments", {{{"ifname", "eth0"}}}, Code::invalid_config},
  };
  for (const Bad& bad : table) {
    CAPTURE(bad.key);
    CAPTURE(bad.value.dump());
    const auto fault = fault_of(bad.key, bad.value);
    REQUIRE(fault.has_value());
    CHECK(fault->code == bad.code);
    CAPTURE(fault->message);
    const std::string key = bad.key;
    CHECK((fault->message + fault->details).find(key.substr(0, 6)) != std::string::npos);
  }
}

TEST_CASE("cni config: what is fine is accepted") {
  const std::vector<std::pair<const char*, Json>> table{
      {"prefix", {"10.1.0.0/24", "fd00::/64"}},
      {"count", 254},
      {"mode", "anyip"},
      {"mode", nullptr},
      {"isolation", "container"},
      {"attach", "veth"},
      {"attach", "auto"},
      {"attachment", "direct"},
      {"attachment", "veth"},
      {"egress", false},
      {"egress", true},
      {"egress", "masquerade"},
      {"egress", "routed"},
      {"overlay", "static"},
      {"enforce", "off"},
      {"enforce", "ebpf"},
      {"enforce", "seccomp"},
      {"mtu", 1400},
      {"keepPool", 60},
      {"dns", {{"nameservers", {"9.9.9.9"}}, {"search", {"shop.internal"}}}},
      {"capabilities", {{"ips", true}}},
      {"args", {{"cni", {{"x", 1}}}}},
      {"cni.dev/something-new", true},
  };
  for (const auto& [key, value] : table) {
    CAPTURE(key);
    const auto fault = fault_of(key, value);
    CHECK_FALSE(fault.has_value());
  }
  Json ranges = kGood;
  ranges.erase("prefix");
  ranges["ranges"] =
      Json::parse(R"([{"subnet":"10.1.0.0/16","rangeStart":"10.1.4.1","rangeEnd":"10.1.4.200"}])");
  const auto parsed = cni::parse_netconf(ranges.dump());
  REQUIRE(parsed);
  CHECK_FALSE(parsed->fault.has_value());
  CHECK(parsed->spec.blocks.front().range->to_string() == "10.1.4.1-10.1.4.200");
}

TEST_CASE("cni config: the parser knows every key that the JSON schema has") {
  std::ifstream file(PARTICLE_TEST_SOURCE_DIR "/../docs/json-schema/cni-netconf.json");
  const Json schema = Json::parse(file);
  for (const auto& [key, unused] : schema["properties"].items()) {
    CAPTURE(key);
    const auto fault = fault_of(key.c_str(), "a value that no key has");
    const std::string said = fault ? fault->message + fault->details : "";
    CHECK(said.find("has no such key") == std::string::npos);
  }
  CHECK(schema["properties"].size() > 20);
}

TEST_CASE("cni config: all faults are told at once") {
  Json conf = kGood;
  conf["vni"] = 0;
  conf["prefix"] = "x";
  conf["mode"] = "fast";
  conf["colour"] = "red";
  conf["egress"] = "yes";
  const auto parsed = cni::parse_netconf(conf.dump());
  REQUIRE(parsed);
  REQUIRE(parsed->fault.has_value());
  const std::string said = parsed->fault->message + parsed->fault->details;
  for (const char* key : {"vni", "prefix", "mode", "colour", "egress"}) {
    CAPTURE(key);
    CHECK(said.find("\"" + std::string(key) + "\"") != std::string::npos);
  }
}

TEST_CASE("cni config: a pool that is attached directly has no place for veths and no gateway") {
  Json conf = kGood;
  conf["attachment"] = "direct";
  for (const auto& [key, value] : {std::pair<const char*, Json>{"attach", "veth"},
                                   {"isolation", "job"},
                                   {"egress", "routed"}}) {
    CAPTURE(key);
    Json both = conf;
    both[key] = value;
    const auto parsed = cni::parse_netconf(both.dump());
    REQUIRE(parsed);
    REQUIRE(parsed->fault.has_value());
    CHECK(parsed->fault->code == cni::Code::invalid_config);
    CHECK(parsed->fault->message.find("direct") != std::string::npos);
  }
}

TEST_CASE("cni config: what is no JSON object is a decoding error") {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  for (const std::string& text :
       {std::string(), std::string("  \n"), std::string("{"), std::string("[]"), std::string("7"),
        std::string("{\"cniVersion\":\"1.1.0\",}"), std::string("\xff\xfe"), deep,
        "{\"prevResult\":" + deep + "}"}) {
    const auto parsed = cni::parse_netconf(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == cni::Code::decoding);
  }
}

TEST_CASE("cni attachment: keys become holders that cannot be confused, and back") {
  using cni::AttachmentKey;
  const AttachmentKey keys[] = {{"a.b", "c", "eth0"},     {"a", "b.c", "eth0"},
                                {"a", "b", "c.eth0"},     {"a_b", "c", "eth0"},
                                {"a", "b_c", "x@y+\x01"}, {"n", "0", "e"}};
  std::set<std::string> holders;
  for (const auto& key : keys) {
    const std::string holder = must(key.holder());
    CHECK(check_name("holder", holder, 255).has_value());
    CHECK(AttachmentKey::from_holder(holder) == key);
    holders.insert(holder);
  }
  CHECK(holders.size() == std::size(keys));
  CHECK_FALSE(AttachmentKey::from_holder("c1").has_value());
  CHECK_FALSE(AttachmentKey::from_holder("a.b").has_value());
  CHECK_FALSE(AttachmentKey::from_holder("a.b.c.d").has_value());
  CHECK_FALSE(AttachmentKey::from_holder("a.b._zz").has_value());
  CHECK_FALSE(AttachmentKey{"n", std::string(250, 'c'), "eth0"}.holder().has_value());
}

}  // namespace particle::test
