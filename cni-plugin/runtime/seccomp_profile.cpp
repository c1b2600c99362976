// SPDX-License-Identifier: Apache-2.0
#include "seccomp_profile.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

#include <sys/socket.h>

#include <nlohmann/json.hpp>

namespace particle::runtime {
namespace {

using OrderedJson = nlohmann::ordered_json;
using Kind = bind::ArgumentTest::Kind;

/// On i386 one call for all of them, whose arguments no filter can read.
constexpr std::string_view kMultiplexer = "socketcall";

Error wrong_shape(const std::string& why) {
  return Error::of(Errc::invalid_argument, "config.json: linux.seccomp: " + why,
                   "the OCI runtime specification wants it so");
}

OrderedJson test_as_json(const bind::ArgumentTest& test) {
  switch (test.kind) {
    case Kind::equal:
      return {{"index", test.index},
              {"value", bind::kIntBits},
              {"valueTwo", test.value},
              {"op", "SCMP_CMP_MASKED_EQ"}};
    case Kind::same:
      return {{"index", test.index}, {"value", test.value}, {"op", "SCMP_CMP_EQ"}};
    case Kind::differs:
      return {{"index", test.index}, {"value", test.value}, {"op", "SCMP_CMP_NE"}};
    case Kind::has_bits:
    case Kind::lacks_bits:
      break;
  }
  return {{"index", test.index},
          {"value", test.value},
          {"valueTwo", test.kind == Kind::has_bits ? test.value : 0},
          {"op", "SCMP_CMP_MASKED_EQ"}};
}

OrderedJson entry(std::string_view call, const char* action,
                  const std::optional<bind::ArgumentTest>& test) {
  OrderedJson json{{"names", OrderedJson::array({std::string(call)})}, {"action", action}};
  if (test) json["args"] = OrderedJson::array({test_as_json(*test)});
  return json;
}

OrderedJson refusal(std::string_view call, int error,
                    const std::optional<bind::ArgumentTest>& test) {
  OrderedJson json = entry(call, "SCMP_ACT_ERRNO", test);
  json["errnoRet"] = error;
  return json;
}

/// A profile, taken apart as far as the rules touch it.
class Profile {
 public:
  explicit Profile(OrderedJson json) : json_(std::move(json)) {
    allows_by_default_ = json_.at("defaultAction") == "SCMP_ACT_ALLOW";
    if (!json_.contains("syscalls") || json_["syscalls"].is_null()) {
      json_["syscalls"] = OrderedJson::array();
    }
  }

  void add(const std::vector<bind::CallRule>& rules) {
    std::set<std::string, std::less<>> calls{std::string(kMultiplexer)};
    for (const auto& rule : rules) calls.emplace(rule.call);
    for (const auto& call : calls) {
      // What it refuses stays as it is.
      if (allows(call)) take_out(call, rules);
    }
    if (allows_by_default_) leave_out_other_architectures();
    for (OrderedJson& one : added_) json_["syscalls"].push_back(std::move(one));
  }

  OrderedJson finish(const SeccompListener& listener) {
    json_["listenerPath"] = listener.socket;
    json_["listenerMetadata"] = listener.metadata;
    return std::move(json_);
  }

 private:
  [[nodiscard]] bool allows(const std::string& call) const {
    bool allowed = allows_by_default_;
    for (const OrderedJson& one : json_.at("syscalls")) {
      const bool named = std::any_of(one.at("names").begin(), one.at("names").end(),
                                     [&call](const OrderedJson& name) { return name == call; });
      if (!named) continue;
      if (one.at("action") == "SCMP_ACT_ALLOW") return true;
      // Refused in some cases only, which stay refused.
      allowed = allowed && one.contains("args") && !one["args"].empty();
    }
    return allowed;
  }

  /// Puts the rules for one call in the place of whatever allows it.
  void take_out(const std::string& call, const std::vector<bind::CallRule>& rules) {
    OrderedJson kept = OrderedJson::array();
    for (OrderedJson& one : json_["syscalls"]) {
      if (one.at("action") == "SCMP_ACT_ALLOW") {
        OrderedJson names = OrderedJson::array();
        for (const OrderedJson& name : one["names"]) {
          if (name != call) names.push_back(name);
        }
        if (names.empty()) continue;
        one["names"] = std::move(names);
      }
      kept.push_back(std::move(one));
    }
    json_["syscalls"] = std::move(kept);
    for (const auto& rule : rules) {
      if (rule.call == call) add_rule(rule);
    }
    if (call == "socket" && !allows_by_default_) allow_local_families();
  }

  void add_rule(const bind::CallRule& rule) {
    if (rule.fate == bind::CallRule::Fate::ask) {
      added_.push_back(entry(rule.call, "SCMP_ACT_NOTIFY", rule.test));
    } else if (allows_by_default_) {
      added_.push_back(refusal(rule.call, rule.error, rule.test));
    }
    // Where the default refuses, the other half of a test has to be allowed by name.
    if (allows_by_default_ || !rule.test || rule.test->kind == Kind::equal) return;
    bind::ArgumentTest other = *rule.test;
    other.kind = rule.test->kind == Kind::differs ? Kind::same : Kind::lacks_bits;
    added_.push_back(entry(rule.call, "SCMP_ACT_ALLOW", other));
  }

  /// A call of i386 that is allowed by default would get through: the multiplexer's arguments are in
  /// memory. What makes calls of an architecture that is not listed is killed by the filter.
  void leave_out_other_architectures() {
    const OrderedJson given = json_.value("architectures", OrderedJson::array());
    OrderedJson kept = OrderedJson::array();
    for (const OrderedJson& one : given) {
      if (one != "SCMP_ARCH_X86" && one != "SCMP_ARCH_X32") kept.push_back(one);
    }
    if (kept != given) json_["architectures"] = std::move(kept);
  }

  /// The families that are not the agent's business and that containers have.
  void allow_local_families() {
    for (const int family : {AF_UNIX, AF_NETLINK}) {
      const bind::ArgumentTest test{0, Kind::equal, static_cast<std::uint64_t>(family)};
      added_.push_back(entry("socket", "SCMP_ACT_ALLOW", test));
    }
  }

  OrderedJson json_;
  bool allows_by_default_ = false;
  std::vector<OrderedJson> added_;
};

OrderedJson everything_allowed() {
  return {{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", OrderedJson::array()}};
}

}  // namespace

Result<std::string> with_rules(const JsonText& config, const std::vector<bind::CallRule>& rules,
                               const SeccompListener& listener) {
  const JsonValue* linux_part = config.root().find("linux");
  const JsonValue* present = linux_part == nullptr ? nullptr : linux_part->find("seccomp");
  OrderedJson json = everything_allowed();
  if (present != nullptr) {
    const std::string text = config.text().substr(present->begin, present->end - present->begin);
    OrderedJson given = OrderedJson::parse(text, nullptr, false);
    if (!given.is_null()) json = std::move(given);
  }
  if (!json.is_object()) return fail(wrong_shape("it is no object"));
  const OrderedJson unset = "";
  if (json.contains("listenerPath") && json["listenerPath"] != unset) {
    return fail(Error::of(Errc::busy,
                          "add the bind agent's rules to the container's seccomp profile",
                          "the profile has a listener already, and the kernel allows one: use "
                          "io.particle.enforce=ebpf, or a profile without listenerPath"));
  }
  try {
    Profile profile(std::move(json));
    profile.add(rules);
    return profile.finish(listener).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  } catch (const OrderedJson::exception& wrong) {
    return fail(wrong_shape(wrong.what()));
  }
}

}  // namespace particle::runtime
