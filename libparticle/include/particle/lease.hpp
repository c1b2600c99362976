// SPDX-License-Identifier: Apache-2.0
/// Leases: which container holds which endpoint.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/ip.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>

namespace particle {

struct LeaseRequest {
  std::string pool;
  std::string holder;       ///< container id: same alphabet as names, at most 255 characters
  std::uint64_t count = 1;  ///< all or nothing
  std::optional<IpAddress> address{};  ///< this endpoint; count must be 1
  std::optional<pid_t> process{};      ///< gc releases the lease when this process is gone
  std::chrono::milliseconds wait{0};   ///< how long to wait for cooling endpoints
};

struct Lease {
  std::string pool;
  std::string holder;
  Endpoint endpoint;
  std::chrono::system_clock::time_point since;
  std::optional<pid_t> process;
  std::string netns_path;  ///< the namespace to put the container into
};

}  // namespace particle
