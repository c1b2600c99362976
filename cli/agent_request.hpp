// SPDX-License-Identifier: Apache-2.0
/// What `particle agent` was asked for. The verb reads it; the program particle-agent does it, so that
/// `particle` itself links none of what control planes need.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace particle::cli {

struct AgentRequest {
  std::string overlay;
  std::string node;
  std::map<std::string, std::string> settings;
  std::optional<std::string> metrics;
  std::chrono::milliseconds resync{30'000};
  std::chrono::milliseconds wait{10'000};  ///< with `once`: for the control plane
  bool once = false;
  bool forget = false;
};

}  // namespace particle::cli
