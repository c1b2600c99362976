// SPDX-License-Identifier: Apache-2.0
#include "pod_annotations.hpp"

#include <algorithm>
#include <array>

namespace particle::cni {
namespace {

constexpr std::string_view kPrefix = "io.particle.";
/// How bind enforcement treats the container's programs: particle-runc reads these itself.
constexpr std::array<std::string_view, 2> kOfTheRuntime{"io.particle.policy",
                                                        "io.particle.allow-raw"};

void read_enforce(Members& runtime, const std::string& name, const Json& json,
                  const std::string& value, const NetConf& conf, PodWishes& wishes) {
  if (!can_enforce(value))
    runtime.faults().unsupported(name, json, "auto, ebpf, seccomp and off can be had");
  else if (conf.attach == Attach::veth && value != "auto" && value != "off")
    runtime.faults().unsupported(name, json,
                                 "with attach veth a container is alone in its namespace");
  wishes.enforce = value;
}

void read_one(Members& runtime, const std::string& name, const Json& json, const NetConf& conf,
              PodWishes& wishes) {
  if (std::find(kOfTheRuntime.begin(), kOfTheRuntime.end(), name) != kOfTheRuntime.end()) return;
  if (!json.is_string()) {
    runtime.faults().invalid(name + ": " + shown(json) + " is not a string");
    return;
  }
  const auto& value = json.get_ref<const std::string&>();
  if (value.empty()) return;  // as particle-runc takes it: nothing is asked for
  if (name == "io.particle.pool") {
    if (auto ok = check_name("pool name", value); !ok)
      runtime.faults().invalid(name + ": " + ok.error().message());
    wishes.pool = value;
  } else if (name == "io.particle.ip") {
    auto address = IpAddress::parse(value);
    if (!address) runtime.faults().invalid(name + ": \"" + value + "\" is not an address");
    if (address) wishes.ip = *address;
  } else if (name == "io.particle.enforce") {
    read_enforce(runtime, name, json, value, conf, wishes);
  } else {
    runtime.faults().unsupported(name, json, "no annotation of Particle's has this name");
  }
}

}  // namespace

bool can_enforce(std::string_view mechanism) {
  constexpr std::array<std::string_view, 4> kMechanisms{"auto", "ebpf", "off", "seccomp"};
  return std::find(kMechanisms.begin(), kMechanisms.end(), mechanism) != kMechanisms.end();
}

PodWishes read_pod_annotations(Members& runtime, const std::string& key, const NetConf& conf) {
  PodWishes wishes;
  const Json* annotations = runtime.find(key);
  if (annotations == nullptr || annotations->is_null()) return wishes;
  if (!annotations->is_object()) {
    runtime.wrong(key, "not an object");
    return wishes;
  }
  for (const auto& [name, json] : annotations->items()) {
    if (name.starts_with(kPrefix)) read_one(runtime, name, json, conf, wishes);
  }
  return wishes;
}

}  // namespace particle::cni
