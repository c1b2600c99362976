// SPDX-License-Identifier: Apache-2.0
/// The bind agent's rules in a container's seccomp profile.
#include <doctest/doctest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "runtime/seccomp_profile.hpp"

namespace particle::runtime {
namespace {

using Json = nlohmann::json;

Result<Json> merged(const Json& profile) {
  Json config{{"linux", Json::object()}};
  if (!profile.is_null()) config["linux"]["seccomp"] = profile;
  const auto text = JsonText::parse(config.dump());
  REQUIRE(text.has_value());
  auto out = with_rules(*text, bind::rules_for_endpoint(false), {"/run/agent", "c1"});
  if (!out) return fail(std::move(out.error()));
  return Json::parse(*out);
}

/// The actions that a profile has for a call, with the number of tests each has: "SCMP_ACT_NOTIFY/1".
std::vector<std::string> actions(const Json& profile, const std::string& call) {
  std::vector<std::string> found;
  for (const Json& entry : profile.at("syscalls")) {
    const Json& names = entry.at("names");
    if (std::find(names.begin(), names.end(), call) == names.end()) continue;
    const std::size_t tests = entry.contains("args") ? entry["args"].size() : 0;
    found.push_back(entry.at("action").get<std::string>() + "/" + std::to_string(tests));
  }
  std::sort(found.begin(), found.end());
  return found;
}

using Actions = std::vector<std::string>;

TEST_CASE("seccomp profile: without one everything is allowed but what the rules say") {
  const Json json = merged(nullptr).value();
  CHECK(json["defaultAction"] == "SCMP_ACT_ALLOW");
  CHECK(json["listenerPath"] == "/run/agent");
  CHECK(json["listenerMetadata"] == "c1");
  CHECK(actions(json, "bind") == Actions{"SCMP_ACT_NOTIFY/0"});
  CHECK(actions(json, "io_uring_setup") == Actions{"SCMP_ACT_ERRNO/0"});
  CHECK(actions(json, "sendto") == Actions{"SCMP_ACT_NOTIFY/1"});
  CHECK(actions(json, "read").empty());
}

TEST_CASE(
    "seccomp profile: what a strict profile allows goes by the rules, the rest stays refused") {
  const Json strict{
      {"defaultAction", "SCMP_ACT_ERRNO"},
      {"architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"}},
      {"syscalls",
       {{{"names", {"read", "bind", "sendto", "sendmsg", "socketcall", "io_uring_setup"}},
         {"action", "SCMP_ACT_ALLOW"}},
        {{"names", {"socket"}},
         {"action", "SCMP_ACT_ALLOW"},
         {"args", {{{"index", 0}, {"value", 40}, {"op", "SCMP_CMP_NE"}}}}}}}};
  const Json json = merged(strict).value();
  CHECK(actions(json, "read") == Actions{"SCMP_ACT_ALLOW/0"});
  CHECK(actions(json, "bind") == Actions{"SCMP_ACT_NOTIFY/0"});
  // Not allowed before, not allowed now.
  CHECK(actions(json, "connect").empty());
  CHECK(actions(json, "io_uring_setup").empty());
  CHECK(actions(json, "socketcall").empty());
  // Both halves: with an address it is asked, without it is allowed.
  CHECK(actions(json, "sendto") == Actions{"SCMP_ACT_ALLOW/1", "SCMP_ACT_NOTIFY/1"});
  CHECK(actions(json, "sendmsg") == Actions{"SCMP_ACT_ALLOW/1"});
  // AF_UNIX and AF_NETLINK are allowed, AF_INET and AF_INET6 asked.
  CHECK(actions(json, "socket") ==
        Actions{"SCMP_ACT_ALLOW/1", "SCMP_ACT_ALLOW/1", "SCMP_ACT_NOTIFY/1", "SCMP_ACT_NOTIFY/1"});
}

TEST_CASE("seccomp profile: ints are compared by their 32 bits, pointers by all of theirs") {
  const Json strict{
      {"defaultAction", "SCMP_ACT_ERRNO"},
      {"syscalls", {{{"names", {"socket", "sendto"}}, {"action", "SCMP_ACT_ALLOW"}}}}};
  for (const Json& profile : {Json(nullptr), strict}) {
    const Json json = merged(profile).value();
    for (const Json& entry : json.at("syscalls")) {
      if (!entry.contains("args")) continue;
      const Json& test = entry["args"][0];
      if (entry["names"][0] == "socket") {
        CHECK(test["op"] == "SCMP_CMP_MASKED_EQ");
        CHECK(test["value"] == 0xffffffffU);
      } else if (entry["names"][0] == "sendto") {
        CHECK(test["op"] == (entry["action"] == "SCMP_ACT_ALLOW" ? "SCMP_CMP_EQ" : "SCMP_CMP_NE"));
      }
    }
  }
}

TEST_CASE("seccomp profile: a lenient profile loses the architectures whose calls hide arguments") {
  const Json lenient{{"defaultAction", "SCMP_ACT_ALLOW"},
                     {"architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
                     {"syscalls", {{{"names", {"bind", "mount"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  const Json json = merged(lenient).value();
  CHECK(json["architectures"] == Json{"SCMP_ARCH_X86_64"});
  // What it refuses stays refused, for everybody.
  CHECK(actions(json, "bind") == Actions{"SCMP_ACT_ERRNO/0"});
  CHECK(actions(json, "mount") == Actions{"SCMP_ACT_ERRNO/0"});
  CHECK(actions(json, "connect") == Actions{"SCMP_ACT_NOTIFY/0"});
}

TEST_CASE("seccomp profile: a listener of its own, and what is no profile, are refused") {
  const auto taken = merged({{"defaultAction", "SCMP_ACT_ALLOW"}, {"listenerPath", "/run/other"}});
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().kind() == Errc::busy);
  for (const Json& wrong :
       {Json(7), Json::array(), Json{{"syscalls", Json::array()}},
        Json{{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", {{{"names", 7}}}}}}) {
    const auto result = merged(wrong);
    CAPTURE(wrong.dump());
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind() == Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace particle::runtime
