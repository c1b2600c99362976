// SPDX-License-Identifier: Apache-2.0
/// What overlay etcd is told: where the servers are, who we are to them, and under which prefix the
/// cluster's keys are.
#pragma once

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

#include "overlay-adapters/adapter.hpp"
#include "overlay-adapters/etcd/http.hpp"

namespace particle::overlay {

struct EtcdSettings {
  std::vector<std::string> endpoints;  ///< "https://192.0.2.9:2379", without a path
  std::string cluster = "default";
  TlsFiles tls;
  std::string user;                ///< empty: no authentication
  std::string password_file;       ///< its first line
  std::chrono::seconds lease{30};  ///< how long after its last sign a node counts as alive
};

inline constexpr std::chrono::seconds kShortestLease{2};
inline constexpr std::chrono::seconds kLongestLease{3600};

/// The settings for a connection, which `particle allocate-block` has too.
std::span<const Setting> etcd_connection_settings() noexcept;
/// Those and the ones of the agent.
std::span<const Setting> etcd_settings() noexcept;

/// Reads settings by name. Looks whether the files can be read, too.
/// Errors: invalid_argument, with everything that is wrong in details.
Result<EtcdSettings> parse_etcd_settings(const std::map<std::string, std::string>& settings);

/// The password, read anew each time it is needed, so that it can be changed.
/// Errors: errno of open(2) and read(2).
Result<std::string> read_password(const EtcdSettings& settings);

}  // namespace particle::overlay
