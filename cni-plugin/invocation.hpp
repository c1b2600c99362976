// SPDX-License-Identifier: Apache-2.0
/// What the runtime passes in the environment: CNI_COMMAND and its companions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/ip.hpp>

#include "attachment.hpp"
#include "errors.hpp"

namespace particle::cni {

enum class Verb : std::uint8_t { add, del, check, gc, status, version };
std::string_view to_string(Verb verb) noexcept;

/// CNI_*, as they are; an empty variable counts as absent, as it does in libcni.
struct Environment {
  std::string command, container, netns, ifname, args, path;
};
Environment read_environment();

/// CNI_ARGS. Particle reads IP, IgnoreUnknown and K8S_POD_*.
struct Arguments {
  std::vector<IpAddress> ips;  ///< IP=10.1.0.7 or IP=10.1.0.7/16,fd00::7
  Pod pod;
};

/// A checked environment: what the verb needs is there and well formed.
struct Invocation {
  Verb verb = Verb::version;
  std::string container;
  std::string netns;
  std::string ifname;
  Arguments arguments;
  std::vector<std::string> path;  ///< the directories of CNI_PATH
};

/// Errors: invalid_environment.
Answer<Verb> parse_verb(std::string_view command);
/// Pure. Errors: invalid_environment, naming every variable that is missing or wrong.
Answer<Invocation> check_environment(Verb verb, const Environment& environment);

}  // namespace particle::cni
