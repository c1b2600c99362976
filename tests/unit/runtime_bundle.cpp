// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "runtime/bundle.hpp"

namespace particle::runtime {
namespace {

std::string golden_path(const std::string& name) {
  return std::string(PARTICLE_TEST_SOURCE_DIR) + "/golden/runtime/" + name;
}

std::string read_golden(const std::string& name) {
  std::ifstream file(golden_path(name), std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

JsonText parsed(const std::string& text) {
  auto json = JsonText::parse(text);
  REQUIRE_MESSAGE(json, json.error().message());
  return *std::move(json);
}

BundleChanges into_pool() {
  BundleChanges changes;
  changes.netns_path = "/run/particle/node-1-2/pools/acme/netns";
  changes.environment = {
      {"PARTICLE_POOL", "acme"}, {"PARTICLE_IP", "10.1.0.7"}, {"PARTICLE_IP6", std::nullopt}};
  return changes;
}

/// PARTICLE_UPDATE_GOLDEN=1 writes what comes out; look at the difference before it is committed.
void check_golden(const std::string& name, const BundleChanges& changes) {
  const auto text = rewrite(parsed(read_golden(name + ".json")), changes);
  REQUIRE_MESSAGE(text, text.error().message());
  if (std::getenv("PARTICLE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(golden_path(name + ".expected.json"), std::ios::binary) << *text;
  }
  CHECK(*text == read_golden(name + ".expected.json"));
}

TEST_CASE("bundle: what ctr wrote is changed in three places and nowhere else") {
  check_golden("ctr", into_pool());
}

TEST_CASE("bundle: what Docker wrote loses the hook that gives the namespace to dockerd") {
  BundleChanges changes = into_pool();
  changes.hosts_path = "/run/particle/runtime/1-2/c1/hosts";
  check_golden("docker", changes);
}

TEST_CASE("bundle: unknown keys, white space and the way numbers are written are kept") {
  BundleChanges changes = into_pool();
  changes.hosts_path = "/h";
  check_golden("strange", changes);
}

TEST_CASE("bundle: a pod's container gets variables, and keeps its namespace and hooks") {
  BundleChanges changes = into_pool();
  changes.netns_path.reset();
  const auto text = rewrite(parsed(read_golden("docker.json")), changes);
  REQUIRE(text);
  const auto before = nlohmann::json::parse(read_golden("docker.json"));
  auto after = nlohmann::json::parse(*text);
  CHECK(after["hooks"] == before["hooks"]);
  CHECK(after["linux"] == before["linux"]);
  CHECK(after["process"]["env"].back() == "PARTICLE_IP=10.1.0.7");
}

TEST_CASE("bundle: mounts and hooks of a bind enforcement are added where they belong") {
  BundleChanges changes = into_pool();
  changes.mounts = {R"({"destination":"/lib/bind.so"})"};
  changes.create_runtime_hooks = {R"({"path":"/usr/bin/attach"})"};
  for (const char* text : {R"({"a":1})", R"({"mounts":[],"hooks":{}})",
                           R"({"mounts":null,"hooks":{"createRuntime":[{"path":"/x"}]}})"}) {
    CAPTURE(text);
    const auto result = rewrite(parsed(text), changes);
    REQUIRE(result);
    const auto json = nlohmann::json::parse(*result);
    CHECK(json["mounts"].back()["destination"] == "/lib/bind.so");
    CHECK(json["hooks"]["createRuntime"].back()["path"] == "/usr/bin/attach");
    CHECK(json["linux"]["namespaces"].back()["path"] == *changes.netns_path);
  }
}

TEST_CASE("bundle: the network namespace is named, replaced or added") {
  const std::string wanted = R"("path":"/run/particle/node-1-2/pools/acme/netns")";
  for (const char* text :
       {R"({"linux":{"namespaces":[{"type":"network"},{"type":"pid"}]}})",
        R"({"linux":{"namespaces":[{"path":"/old","type":"network"}]}})",
        R"({"linux":{"namespaces":[{"type":"pid"}]}})", R"({"linux":{"namespaces":[]}})",
        R"({"linux":{"namespaces":null}})", R"({"linux":{}})", R"({"linux":null})", "{}"}) {
    CAPTURE(text);
    const auto result = rewrite(parsed(text), into_pool());
    REQUIRE(result);
    CHECK(nlohmann::json::accept(*result));
    CHECK(result->find(wanted) != std::string::npos);
    CHECK(result->find("/old") == std::string::npos);
  }
}

TEST_CASE("bundle: a shape that is not the specification's is refused, naming the key") {
  for (const auto& [text, key] :
       {std::pair(R"([])", "the text"), std::pair(R"({"linux":[]})", "linux"),
        std::pair(R"({"linux":{"namespaces":{}}})", "namespaces"),
        std::pair(R"({"process":7})", "process"), std::pair(R"({"process":{"env":""}})", "env"),
        std::pair(R"({"hooks":[]})", "hooks"),
        std::pair(R"({"hooks":{"prestart":{}}})", "prestart")}) {
    CAPTURE(text);
    const auto result = rewrite(parsed(text), into_pool());
    REQUIRE_FALSE(result);
    CHECK(result.error().message().find(key) != std::string::npos);
  }
}

TEST_CASE("bundle: the pool is asked for by annotation, else by environment") {
  const auto facts = [](const std::string& text, bool from_environment = true) {
    return read_facts(parsed(text), from_environment);
  };
  const std::string env = R"("process":{"env":["PARTICLE_POOL=old","PARTICLE_POOL=blue",
                                               "PARTICLE_IP=10.1.0.9"]})";
  CHECK(facts("{" + env + "}").pool == "blue");
  CHECK(facts("{" + env + "}").ip == "10.1.0.9");
  CHECK(facts("{" + env + "}", false).pool == std::nullopt);
  const BundleFacts both = facts(
      R"({"annotations":{"io.particle.pool":"acme","io.particle.ip":"10.1.0.3"},)" + env + "}");
  CHECK(both.pool == "acme");
  CHECK(both.ip == "10.1.0.3");
  CHECK(facts(R"({"annotations":{"io.particle.pool":""},"process":{}})").pool == std::nullopt);
  CHECK(facts(R"({"annotations":null,"process":{"env":null},"mounts":null})").pool == std::nullopt);
  CHECK(facts("[]").pool == std::nullopt);
}

TEST_CASE("bundle: an image's environment does not choose a pod's pool") {
  const BundleFacts sandbox =
      read_facts(parsed(R"({"annotations":{"io.kubernetes.cri.container-type":"sandbox",
                                "io.kubernetes.cri.sandbox-id":"s1"},
                 "process":{"env":["PARTICLE_POOL=blue"]}})"),
                 true);
  CHECK(sandbox.role == Role::sandbox);
  CHECK(sandbox.sandbox == "s1");
  CHECK(sandbox.pool == std::nullopt);
  const BundleFacts member =
      read_facts(parsed(R"({"annotations":{"io.kubernetes.cri-o.ContainerType":"container",
                                "io.kubernetes.cri-o.SandboxID":"s2"}})"),
                 true);
  CHECK(member.role == Role::member);
  CHECK(member.sandbox == "s2");
}

}  // namespace
}  // namespace particle::runtime
