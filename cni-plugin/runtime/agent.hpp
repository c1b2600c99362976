// SPDX-License-Identifier: Apache-2.0
/// A node's bind agent, for containers that are enforced by seccomp. Two processes: the *keeper* takes
/// the filters' listeners from the OCI runtime and holds them, the *worker*, its child, decides. The
/// kernel fails a container's calls with ENOSYS, for good, once nobody holds its listener: so the one
/// that does the work, and could break, is not the one that holds. docs/adr/0008 has the reasons.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>
#include <particle_bind/agent.hpp>

namespace particle::runtime {

/// A listener that somebody holds, and its container's directory.
struct KeptListener {
  UniqueFd fd;
  std::string directory;
};
using KeptListeners = std::map<std::uint32_t, KeptListener>;

/// Starts the node's agent unless it is there. Returns the socket's path, for `listenerPath`.
/// Errors: whatever kept it from answering within five seconds.
Result<std::string> ensure_agent(const std::string& run_dir, const std::string& node_id);

/// Is the node's agent (its keeper) until no container is left that needs one. Returns the exit code.
int be_the_agent(const std::string& run_dir, const std::string& node_id);

/// Is the worker: decides for the listeners it begins with and for those that come over `channel`, until
/// that is closed.
[[noreturn]] void be_the_worker(int channel, KeptListeners listeners, const bind::CallTable& table);

}  // namespace particle::runtime
