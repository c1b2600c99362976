// SPDX-License-Identifier: Apache-2.0
/// The bind enforcer: the processes of one endpoint keep to its address. docs/bind-enforcement.md has
/// the policy and says what each mechanism can and cannot see.
///
/// The order for whoever starts a process:
///
///     Result<Enforcement> guard = Enforcement::prepare(spec);     // any error: nothing was made
///     pid_t child = fork();                                       // or clone3
///     if (child == 0) { setns(...); guard->enter(); execve(...); }
///     guard->supervise();                                         // after the child has entered
///     waitpid(child, ...);
///     guard->close();                                             // nothing is left behind
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <particle/ip.hpp>
#include <particle/lease.hpp>
#include <particle/result.hpp>

namespace particle::bind {

enum class Mechanism : std::uint8_t {
  automatic,  ///< the strongest that works here: ebpf, else seccomp; never preload by itself
  ebpf,       ///< cgroup hooks: sees every program; needs cgroup2, CAP_BPF and CAP_NET_ADMIN
  seccomp,    ///< an agent decides each call; needs no privilege beyond the namespace's
  preload,    ///< LD_PRELOAD: for development; static and Go programs pass it by
  off,
};

enum class Policy : std::uint8_t {
  rewrite,  ///< "any" becomes the endpoint's address, loopback its own alias
  strict,   ///< what rewrite would change is refused with EADDRNOTAVAIL
  audit,    ///< everything passes; what rewrite would have changed or refused is logged
};

std::string_view to_string(Mechanism mechanism) noexcept;
std::string_view to_string(Policy policy) noexcept;
/// Errors: invalid_argument, naming the choices.
Result<Mechanism> parse_mechanism(std::string_view text);
Result<Policy> parse_policy(std::string_view text);

/// At most this many prefixes of EnforceSpec::groups.
inline constexpr std::size_t kMaxGroups = 4;

struct EnforceSpec {
  Lease lease;          ///< who: pool, holder and endpoint
  std::string run_dir;  ///< absolute; what is pinned goes to RUN_DIR/enforce/NODE_ID
  std::string node_id;  ///< Node::id()
  Mechanism mechanism = Mechanism::automatic;
  Policy policy = Policy::rewrite;
  bool allow_raw =
      false;  ///< raw, ping and packet sockets: they see and send the siblings' packets
  std::vector<IpPrefix> groups;  ///< multicast and broadcast addresses that may be bound to
};

/// Why `mechanism` does not work here, for this process; success when it does. Makes nothing that
/// lasts. Errors: unsupported, permission_denied, each with what to do about it.
Result<void> probe(Mechanism mechanism);

/// The mechanism that `wanted` means here, and why. Errors: those of probe(), for automatic those of
/// every mechanism as details.
struct Choice {
  Mechanism mechanism = Mechanism::off;
  std::string reason;
};
Result<Choice> choose(Mechanism wanted);

/// What one mechanism does for one endpoint; internal.
class Guard;

/// One endpoint's enforcement. Threads: one at a time; different objects and processes concurrently.
class Enforcement {
 public:
  /// Errors: those of choose(); busy when the holder has an enforcement already; invalid_argument for
  /// too many groups; whatever cgroupfs, bpf(2) or seccomp(2) refuse. After an error nothing is left.
  static Result<Enforcement> prepare(const EnforceSpec& spec);
  Enforcement(Enforcement&&) noexcept;
  Enforcement& operator=(Enforcement&&) noexcept;
  ~Enforcement();  ///< close(), without its error

  [[nodiscard]] Mechanism mechanism() const noexcept;
  [[nodiscard]] const std::string& reason() const noexcept;
  /// NAME=VALUE words that the process must be started with.
  [[nodiscard]] std::vector<std::string> environment() const;

  /// In the new process, inside the endpoint's network namespace, single-threaded, last before
  /// exec. From here on the process and all it starts are enforced.
  [[nodiscard]] Result<void> enter() const;
  /// In the parent, after enter() was called in the child: takes over what a supervisor has to do.
  /// Returns once it is done; blocks while the child has not entered.
  [[nodiscard]] Result<void> supervise();
  /// Puts a process that was started elsewhere, such as a container's init, under enforcement.
  /// Errors: unsupported where the mechanism cannot; sockets it already has keep their address.
  [[nodiscard]] Result<void> adopt(pid_t process) const;
  /// Leaves the endpoint enforced when this object goes: for processes that outlive their starter.
  /// Errors: unsupported where a supervisor is needed.
  [[nodiscard]] Result<void> detach();

  /// What was decided since the last call, one line each, with policy audit.
  [[nodiscard]] std::vector<std::string> take_log();
  /// Readable when take_log() has something to say; -1 where there is none.
  [[nodiscard]] int log_fd() const noexcept;

  /// Kills what is left of the endpoint's processes and removes the enforcement. Idempotent.
  [[nodiscard]] Result<void> close();

 private:
  Enforcement(Choice choice, std::unique_ptr<Guard> guard);
  Choice choice_;
  std::unique_ptr<Guard> guard_;
};

/// Ends the enforcement of endpoints that nobody leases any more, killed starters' and containers'
/// included. `leases` is asked for all of the node's while nobody else can begin an enforcement: who
/// leases first and enforces then is never taken for a leftover.
/// Returns "POOL@NUMBER", and "POOL@NUMBER@CONTAINER" for a container's, of each.
/// Errors: those of `leases`; whatever could not be ended.
Result<std::vector<std::string>> sweep(const std::string& run_dir, const std::string& node_id,
                                       const std::function<Result<std::vector<Lease>>()>& leases);

}  // namespace particle::bind
