// SPDX-License-Identifier: Apache-2.0
/// Leases: which container holds which endpoint.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/ip.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>

namespace particle {

/// A container's own network namespace, to be connected to the pool instead of getting a namespace
/// made for it. Only for pools of isolation container.
struct Guest {
  std::string netns_path;      ///< any nsfs file: /run/netns/x, /proc/PID/ns/net
  std::string device{"eth0"};  ///< its name inside; must be free there
  std::optional<Mac> mac;      ///< unset: derived from the pool and the endpoint
};

struct LeaseRequest {
  std::string pool;
  std::string holder;       ///< container id: same alphabet as names, at most 255 characters
  std::uint64_t count = 1;  ///< all or nothing
  std::optional<IpAddress> address{};  ///< this endpoint; count must be 1
  std::optional<pid_t> process{};      ///< gc releases the lease when this process is gone
  std::chrono::milliseconds wait{0};   ///< how long to wait for cooling endpoints
  std::optional<Guest> guest{};        ///< connect this namespace; count must be 1
  /// Where set: asked while the pool is held, before anything is leased. What it fails with, the lease
  /// fails with. Of the pool it sees what is recorded: no netns_inode, no problems, no usage.
  std::function<Result<void>(const PoolInfo&)> accept{};
};

struct Lease {
  std::string pool;
  std::string holder;
  Endpoint endpoint;
  std::chrono::system_clock::time_point since;
  std::optional<pid_t> process;
  std::string netns_path;  ///< the namespace to put the container into, or its own, pinned
  std::string device;      ///< the device with the endpoint's addresses in it
  Mac mac;                 ///< of that device
};

}  // namespace particle
