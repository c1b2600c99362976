// SPDX-License-Identifier: Apache-2.0
/// Enforcement by seccomp user notification for processes whose filter somebody else installs, such as
/// an OCI runtime: which calls the filter hands over, and who decides them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>
#include <particle_bind/enforce.hpp>

namespace particle::bind {

/// A filter sees 64 bits of each argument, the kernel takes an int from the lower half of them.
inline constexpr std::uint64_t kIntBits = 0xffffffff;

/// What a filter looks at in one argument of a call.
struct ArgumentTest {
  enum class Kind : std::uint8_t {
    equal,    ///< of an int: whatever is above its 32 bits
    same,     ///< of a pointer: all 64 bits
    differs,  ///< of a pointer: all 64 bits
    has_bits,
    lacks_bits,
  };
  unsigned index = 0;
  Kind kind = Kind::equal;
  std::uint64_t value = 0;
};

/// What becomes of a system call.
struct CallRule {
  enum class Fate : std::uint8_t { ask, refuse };
  std::string_view call;
  Fate fate = Fate::ask;
  int error = 0;  ///< errno of a refusal
  std::optional<ArgumentTest> test = {};
};

/// The rules that keep a process to an endpoint. Everything else is allowed, as far as these are
/// concerned. Of one call the tests exclude each other.
std::vector<CallRule> rules_for_endpoint(bool allow_raw);

class InFlight;
class Agent;

/// The calls that an agent has in hand, in memory that outlives its process: a caller whose agent dies
/// would otherwise wait for ever. Make it, then fork the agent.
class CallTable {
 public:
  static Result<CallTable> make();
  /// Ends every call in hand with ENOSYS, as the kernel does where no agent is left. `listener_of` says
  /// which descriptor a listener's number stands for; -1: none any more. The agent must be dead.
  void fail_all(const std::function<int(std::uint32_t number)>& listener_of);

 private:
  friend class NodeAgent;
  explicit CallTable(std::shared_ptr<InFlight> calls) : calls_(std::move(calls)) {}
  std::shared_ptr<InFlight> calls_;
};

/// Decides for any number of endpoints, of any number of pools. Threads: one at a time; it has threads
/// of its own, a few for each pool.
class NodeAgent {
 public:
  explicit NodeAgent(const CallTable& table);
  NodeAgent(const NodeAgent&) = delete;
  NodeAgent& operator=(const NodeAgent&) = delete;
  ~NodeAgent();

  /// Answers what comes from `listener` until the last process behind it is gone. `number`, not 0 and
  /// not given before, tells it from the others. `netns_path` is the namespace of spec.lease's pool.
  /// Errors: those of opening and entering the namespace; unsupported for policy audit.
  Result<void> add(std::uint32_t number, UniqueFd listener, const EnforceSpec& spec,
                   const std::string& netns_path);

 private:
  struct Pools;
  std::unique_ptr<Pools> pools_;
};

}  // namespace particle::bind
