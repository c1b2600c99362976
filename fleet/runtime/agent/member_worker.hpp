// SPDX-License-Identifier: Apache-2.0
/// The thread that talks to etcd for `Members`: registers this node, keeps its lease alive, follows the
/// others. After every loss of the connection the whole list is read and compared.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include <particle_fleet/members.hpp>

#include "agent/member_list.hpp"
#include "overlay-adapters/etcd/client.hpp"
#include "overlay-adapters/etcd/keys.hpp"

namespace particle::fleet {

class MemberWorker {
 public:
  MemberWorker(MembersOptions options, overlay::EtcdSettings settings, std::stop_token stop);

  /// Until the stop is requested, followed by wake().
  void run();
  // From any thread:
  void wake() { client_.wake(); }
  [[nodiscard]] std::vector<AgentPeer> peers() const;
  /// How this node stands, once it is known or the time is over. Errors: conflict.
  Result<void> wait_for_standing(std::chrono::milliseconds limit);

 private:
  using Clock = std::chrono::steady_clock;
  enum class Standing : std::uint8_t { unknown, registered, name_taken, unreachable };
  /// Who has this node's name, as etcd says.
  struct Holder {
    std::string owner;
    std::string address;
    std::int64_t modified = 0;
    std::int64_t lease = 0;
  };

  Result<void> connect();
  Result<void> serve();
  [[nodiscard]] Result<void> check_contact() const;
  Result<void> list();
  Result<void> hear();
  Result<void> keep_alive();
  Result<void> register_node();
  /// `value` unset: withdraws it.
  Result<bool> write_entry(const overlay::Condition& condition, std::optional<std::string> value);
  void withdraw();
  void take(const overlay::KeyValue& entry, bool deleted);
  void note_holder(const overlay::KeyValue& entry, bool deleted);
  void set_standing(Standing standing, const std::string& why);
  void lost(const Error& error);
  void pause();
  void log(LogLevel level, const std::string& text) const;

  const MembersOptions options_;
  const overlay::EtcdSettings settings_;
  const std::stop_token stop_;
  const std::string prefix_, key_, owner_;
  overlay::EtcdClient client_;

  // The worker's own.
  std::int64_t lease_ = 0, revision_ = 0;
  std::optional<Holder> holder_;
  Clock::time_point next_keep_alive_{};
  Clock::time_point last_contact_{};  ///< when the last keep-alive that was answered was sent
  unsigned failures_ = 0;             ///< in a row
  bool listed_ = false;
  std::mt19937_64 random_{std::random_device{}()};

  mutable std::mutex mutex_;  ///< of what follows
  std::condition_variable changed_;
  MemberList list_;
  Standing standing_ = Standing::unknown;
  std::string why_;  ///< it is not registered
};

}  // namespace particle::fleet
