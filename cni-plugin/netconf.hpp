// SPDX-License-Identifier: Apache-2.0
/// The network configuration on standard input. docs/cni.md and docs/json-schema/cni-netconf.json
/// document its keys.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <particle/pool.hpp>

#include "attachment.hpp"
#include "errors.hpp"
#include "version.hpp"

namespace particle::cni {

/// The result's `dns`, which travels through unchanged.
struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;
  [[nodiscard]] bool empty() const {
    return nameservers.empty() && domain.empty() && search.empty() && options.empty();
  }
  friend bool operator==(const Dns&, const Dns&) = default;
};

/// What the pod's annotations ask for (capability io.kubernetes.cri.pod-annotations). The same
/// annotations reach particle-runc, which has the last word on `enforce`.
struct PodWishes {
  std::optional<std::string> pool;     ///< io.particle.pool
  std::optional<IpAddress> ip;         ///< io.particle.ip
  std::optional<std::string> enforce;  ///< io.particle.enforce
};

/// What the runtime adds for this one container (`runtimeConfig`).
struct RuntimeConfig {
  std::vector<IpAddress> ips;
  std::optional<Mac> mac;
  Dns dns;
  std::string cgroup_path;
  PodWishes pod;
};

/// An attachment that the runtime still knows (`cni.dev/valid-attachments`).
struct ValidAttachment {
  std::string container;
  std::string ifname;
  friend auto operator<=>(const ValidAttachment&, const ValidAttachment&) = default;
};

struct NetConf {
  Version version = Version::v1_1_0;
  std::string name;
  PoolSpec spec;
  bool attachment_given = false;  ///< else a pool that exists may have either
  Attach attach = Attach::runtime;
  std::string attach_reason;  ///< why, where `attach` was auto or absent
  std::string enforce{"auto"};
  std::chrono::seconds keep_pool{0};
  std::string run_dir;
  Dns dns;
  RuntimeConfig runtime;
  std::string prev_result;  ///< JSON text; empty where there is none
  /// nullopt: the key is absent, which is not the same as an empty list.
  std::optional<std::vector<ValidAttachment>> valid_attachments;
  /// What is wrong with the rest. DEL and GC go on without the pool's spec: they give back what is
  /// recorded, however the configuration was changed since.
  std::optional<CniError> fault;
};

/// Reads and checks everything; all faults are in one error. Pure.
/// Errors: decoding (no JSON object), incompatible_version, invalid_config where not even the
/// network's name and the run directory are known. Every other fault is in NetConf::fault:
/// unsupported_field (with key and value) when nothing else is wrong, else invalid_config.
Answer<NetConf> parse_netconf(std::string_view text);

/// The `cniVersion` of a text that may be anything; kNewestVersion when it has none that we speak.
std::string_view version_for_errors(std::string_view text);

}  // namespace particle::cni
