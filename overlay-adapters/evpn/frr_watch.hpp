// SPDX-License-Identifier: Apache-2.0
/// How FRR on this node is: which BGP neighbours it has for EVPN, which of them are missing, and why.
/// Asks vtysh, which is FRR's documented interface, on a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <particle/result.hpp>
#include <particle/types.hpp>
#include <particle/unique_fd.hpp>

namespace particle::overlay::evpn {

struct BgpNeighbour {
  std::string name;
  std::string state;  ///< BGP's word: Established, Active, Idle ...
  std::string why;    ///< of one that is not established
  /// Whether it has said that it told everything (End-of-RIB, RFC 4724); nothing: it does not say so.
  std::optional<bool> told_all{};
};

struct FrrState {
  std::string problem;  ///< why nothing is known; empty when FRR answered
  std::vector<BgpNeighbour> neighbours;
  std::set<Vni> vnis;  ///< that zebra knows
  [[nodiscard]] bool all_established() const;
  [[nodiscard]] bool some_established() const;
};

/// Pure. What `show bgp l2vpn evpn summary json` says. Errors: protocol.
Result<std::vector<BgpNeighbour>> parse_summary(const std::string& text);
/// Pure. What `show bgp neighbors json` adds to that: why a session is down, and End-of-RIB. What is not
/// understood adds nothing.
void add_details(const std::string& text, std::vector<BgpNeighbour>& neighbours);
/// Pure. What `show evpn vni json` says. Errors: protocol.
Result<std::set<Vni>> parse_vnis(const std::string& text);

struct FrrSettings {
  std::string vtysh = "vtysh";
  std::string vty_sockets;  ///< its directory; empty: vtysh's own
  /// A neighbour that has been missing for so long is taken for dead: what it announced is removed.
  std::chrono::milliseconds grace{60'000};
};

class FrrWatch {
 public:
  /// Begins to ask. Errors: errno of eventfd(2).
  explicit FrrWatch(FrrSettings settings);
  FrrWatch(const FrrWatch&) = delete;
  FrrWatch& operator=(const FrrWatch&) = delete;
  ~FrrWatch();

  [[nodiscard]] FrrState state() const;
  /// What FRR has entered is all there is: every neighbour is there, and has had time to tell what it
  /// knows, or has been missing for longer than the grace. And FRR said so when asked after `when`.
  [[nodiscard]] bool complete_after(std::chrono::steady_clock::time_point when) const;
  /// Readable when state() or the judgement has changed, and when what hurry() asked was answered;
  /// acknowledge() takes it.
  [[nodiscard]] int fd() const noexcept { return event_.get(); }
  void acknowledge() const;
  /// Asks at once.
  void hurry();

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] FrrState ask() const;
  bool judge(const FrrState& now);
  [[nodiscard]] bool has_settled(const FrrState& now);

  FrrSettings settings_;
  UniqueFd event_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  bool hurry_ = false;
  FrrState state_;
  bool complete_ = false;
  std::chrono::steady_clock::time_point
      asked_{};  ///< when the question was put that state_ answers
  std::chrono::steady_clock::time_point
      settled_since_{};  ///< some are there, and none has left or come
  std::chrono::steady_clock::time_point missing_since_{};  ///< epoch: none is
  std::chrono::steady_clock::time_point
      told_since_{};  ///< all that are there have told all; epoch: not
  std::set<std::string> established_;
  std::jthread thread_;  ///< last: it uses all of the above
};

}  // namespace particle::overlay::evpn
