// SPDX-License-Identifier: Apache-2.0
/// What happens to an instance, when. One event is one line of JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <particle/pool.hpp>
#include <particle/result.hpp>

namespace particle::fleet {

/// An instance's phases, in order. connected, transferring and processing are reported by instances
/// that speak the message protocol; others go from started to done.
enum class Phase : std::uint8_t {
  queued,        ///< asked for; waits for an endpoint or for its turn
  leased,        ///< has its endpoint
  created,       ///< its process exists, in its namespaces
  started,       ///< its command runs (exec returned)
  connected,     ///< has reached its upstream
  transferring,  ///< pulls its inputs
  processing,    ///< works on them
  done,          ///< ended; Event::ended says how
};
std::string_view to_string(Phase phase) noexcept;

/// How an instance ended.
enum class Ended : std::uint8_t {
  ok,             ///< exit status 0
  failed,         ///< another exit status: Event::status
  signalled,      ///< by a signal: Event::status
  timed_out,      ///< Limits::wall_time was over
  out_of_memory,  ///< the kernel ended it for Limits::memory
  killed,         ///< with its job, or asked for
  lost,           ///< its node or that node's agent is gone
  refused,        ///< never started: Event::detail says why
};
std::string_view to_string(Ended ended) noexcept;

struct Event {
  std::string job;
  std::uint64_t instance = 0;
  std::uint32_t attempt = 0;  ///< 0 for the first
  std::string node;           ///< the agent's name
  Phase phase = Phase::queued;
  /// Wall-clock time: comparable between nodes as far as their clocks agree.
  std::chrono::system_clock::time_point at;
  std::optional<Endpoint> endpoint{};  ///< from leased on
  std::optional<Ended> ended{};        ///< with done
  int status = 0;                      ///< exit status or signal number, with done
  std::string detail;                  ///< why, for people
};

/// Whether the instance has ended for good: no attempt follows. What failed, was signalled, timed out,
/// ran out of memory or was lost is started anew while `retries` (Function::retries) allow; what was
/// killed or refused is not.
bool is_last(const Event& event, std::uint32_t retries) noexcept;

/// One line of JSON without the newline; schema: docs/json-schema/fleet-event.json.
std::string to_json_line(const Event& event);
/// Errors: invalid_argument, naming the key.
Result<Event> parse_event(std::string_view line);

}  // namespace particle::fleet
