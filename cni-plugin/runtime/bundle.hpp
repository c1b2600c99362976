// SPDX-License-Identifier: Apache-2.0
/// A bundle's config.json: what the wrapper asks it, and what the wrapper changes in it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <particle/result.hpp>

#include "json_text.hpp"

namespace particle::runtime {

inline constexpr std::string_view kPoolAnnotation = "io.particle.pool";
inline constexpr std::string_view kIpAnnotation = "io.particle.ip";
inline constexpr std::string_view kEnforceAnnotation = "io.particle.enforce";
inline constexpr std::string_view kPolicyAnnotation = "io.particle.policy";
inline constexpr std::string_view kAllowRawAnnotation = "io.particle.allow-raw";

/// What the engine says this container is.
enum class Role {
  plain,    ///< stands alone: Docker, ctr, podman
  sandbox,  ///< a pod's: the one that has the pod's network namespace
  member,   ///< one of a pod's containers: joins its sandbox's network namespace
};

/// What config.json says that decides about the network.
struct BundleFacts {
  Role role = Role::plain;
  std::string sandbox;              ///< the pod's sandbox id; empty for Role::plain
  std::optional<std::string> pool;  ///< annotation io.particle.pool, else environment PARTICLE_POOL
  std::optional<std::string> ip;    ///< annotation io.particle.ip, else environment PARTICLE_IP
  std::optional<std::string> enforce;  ///< annotation io.particle.enforce: a mechanism's name
  std::optional<std::string> policy;   ///< annotation io.particle.policy: a policy's name
  bool allow_raw = false;              ///< annotation io.particle.allow-raw is "true"
  std::string hostname;
  std::optional<std::string> hosts_source;  ///< what is mounted on /etc/hosts
};

/// Engines that speak of pods set annotations, so only plain containers may choose their pool by
/// environment, and only with `from_environment`: an image can set variables, too.
BundleFacts read_facts(const JsonText& config, bool from_environment);

/// Variables to set, in this order, or to take out (those without a value).
using Environment = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// What is to be changed. Whoever has a say adds to it; rewrite() makes it so.
struct BundleChanges {
  std::optional<std::string> netns_path;  ///< unset: the network namespace stays as it is
  Environment environment;
  std::optional<std::string> hosts_path;          ///< mounted on /etc/hosts instead of hosts_source
  std::vector<std::string> mounts;                ///< further mounts, as JSON objects
  std::vector<std::string> create_runtime_hooks;  ///< further hooks, as JSON objects
  std::optional<std::string> seccomp;             ///< linux.seccomp, as a JSON object
  std::vector<std::string> dropped_capabilities;  ///< "CAP_NET_RAW": out of every set
};

/// The new text. Everything that is not named in `changes` stays byte for byte.
///
/// One thing goes: Docker's hook that hands the container's network namespace to dockerd, wherever
/// the namespace is replaced. Docker would take the pool's namespace for the container's own and turn
/// IPv6 off in it.
/// Errors: invalid_argument where the file's shape is not the OCI runtime specification's.
Result<std::string> rewrite(const JsonText& config, const BundleChanges& changes);

/// The same for the description of a further process (`exec --process`): its environment and its
/// capabilities.
Result<std::string> rewrite_process(const JsonText& process, const BundleChanges& changes);

}  // namespace particle::runtime
