// SPDX-License-Identifier: Apache-2.0
/// The nodes of a fleet as a directory tells of them: what of it holds. Pure.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle_fleet/agent.hpp>

namespace particle::fleet {

/// What an agent writes down of itself.
struct MemberEntry {
  std::string address;  ///< where the other agents reach it
  std::string
      owner;  ///< the agent's node and address: an agent that is started anew is the same one
  [[nodiscard]] std::string to_text() const;
  /// Nothing for what is no such entry.
  static std::optional<MemberEntry> parse(std::string_view text);
};

class MemberList {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Nothing when the entry was taken; else why it was not: its name or its text is nobody's.
  std::optional<std::string> put(const std::string& name, std::string_view text);
  void erase(const std::string& name) { members_.erase(name); }
  /// All that there is now. After an outage those that are not among it may only need time to come back:
  /// they stay until `until` unless they are erased.
  void replace(const std::map<std::string, std::string>& entries, std::optional<Time> until);

  [[nodiscard]] std::vector<AgentPeer> peers(Time now) const;

 private:
  struct Member {
    std::string address;
    std::optional<Time> until;  ///< missing, and remembered until then
  };
  std::map<std::string, Member> members_;
};

}  // namespace particle::fleet
