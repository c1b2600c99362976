// SPDX-License-Identifier: Apache-2.0
/// Where a node's bind agent listens, and what OCI runtimes tell it there.
#pragma once

#include <optional>
#include <string>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::runtime {

/// Below the run directory, so that every node, and every test, has its own.
struct AgentPlace {
  std::string directory;
  std::string socket;
  std::string lock;  ///< held by the agent for as long as it lives
};
AgentPlace agent_place(const std::string& run_dir, const std::string& node_id);

/// Errors: invalid_argument for a path that is too long for a socket; the errno.
Result<UniqueFd> listen_at(const std::string& path);
/// Does an agent answer there?
bool is_answered(const std::string& path);

/// What a runtime hands over for one process (the specification's container process state).
struct HandedOver {
  UniqueFd listener;
  std::string metadata;
};
/// nullopt when the peer only looked whether somebody is there. Errors: the errno; invalid_argument.
Result<std::optional<HandedOver>> receive_from_runtime(int connection);

/// One message of the agent's own processes: a listener's number, a text and, where it is given, a
/// descriptor.
struct AgentMessage {
  std::uint32_t number = 0;
  std::string text;
  UniqueFd fd;
};
Result<void> send_message(int socket, std::uint32_t number, const std::string& text, int fd = -1);
/// nullopt when the other end is closed.
Result<std::optional<AgentMessage>> receive_message(int socket);

}  // namespace particle::runtime
