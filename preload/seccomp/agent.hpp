// SPDX-License-Identifier: Apache-2.0
/// The agent: decides the calls that filters hand over, on copies, and acts on duplicates of the
/// callers' sockets. When it dies the kernel fails those calls with ENOSYS, unless somebody else holds
/// the listener: then they wait for the next agent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <particle/netns.hpp>
#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "policy/policy.h"
#include "seccomp/in_flight.hpp"

namespace particle::bind {

/// The agent of any number of endpoints in one network namespace. A few threads answer for all of
/// them; an endpoint costs a descriptor and less than a kilobyte.
/// Threads: every member may be called concurrently.
class Agent {
 public:
  using Logger = std::function<void(std::string)>;

  /// Errors: the errno of setns(2) and clone(2).
  static Result<std::unique_ptr<Agent>> start(const NetNs& netns,
                                              std::shared_ptr<InFlight> in_flight);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  /// Returns when nobody decides any more. Calls that wait for the network are answered when that has.
  ~Agent();

  /// Answers what comes from `listener` until the last process behind it is gone. `number`, not 0,
  /// tells it from the others.
  Result<void> add(
      std::uint32_t number, UniqueFd listener, const pb_endpoint& endpoint,
      Logger log = [](const std::string&) {});
  /// How many listeners have processes behind them.
  [[nodiscard]] std::size_t size() const;

 private:
  class Crew;
  explicit Agent(std::shared_ptr<Crew> crew) : crew_(std::move(crew)) {}
  std::shared_ptr<Crew> crew_;
};

}  // namespace particle::bind
