// SPDX-License-Identifier: Apache-2.0
/// The thread that talks to etcd: registers the node under a lease and keeps it alive, tells of the
/// node's pools until etcd has them, and follows what the others tell.
///
/// After every loss of the connection the whole directory is listed and compared, not only followed
/// on: a server that was restored from a snapshot cannot be told from one that merely restarted.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "overlay-adapters/etcd/client.hpp"
#include "overlay-adapters/etcd/shared.hpp"

namespace particle::overlay {

class EtcdWorker {
 public:
  EtcdWorker(EtcdShared& shared, EtcdSettings settings, std::stop_token stop);

  /// Until the stop is requested, followed by wake().
  void run();
  /// From any thread: there is something new in `shared`.
  void wake();

 private:
  using Clock = std::chrono::steady_clock;
  /// What etcd has of one of this node's pools, as far as is known.
  struct Told {
    std::optional<std::string> value;  ///< nothing: no such key
    std::int64_t lease = 0;
    std::int64_t revision = 0;  ///< older news of the key are overtaken
  };

  Result<void> connect();
  Result<void> serve();
  Result<void> list();
  void adopt(const Listing& listing);
  Result<void> register_node();
  Result<void> grant_lease();
  Result<void> keep_alive();
  [[nodiscard]] Result<void> check_contact() const;
  /// Sends what differs between what is wanted and what etcd has.
  Result<void> tell();
  std::vector<Change> next_changes(std::size_t& left);
  Result<void> hear();
  void hear_of(const KeyValue& entry, bool deleted);
  void begin_to_settle();
  void settle_when_due();
  void take_settings();

  void lost(const Error& error);
  void pause();
  [[nodiscard]] std::chrono::milliseconds patience() const;
  void set_standing(Standing standing, const std::string& named_by = {});

  EtcdShared& shared_;
  std::stop_token stop_;
  EtcdSettings settings_;
  std::mutex client_mutex_;  ///< of the pointer: wake() comes from another thread
  std::unique_ptr<EtcdClient> client_;

  std::int64_t lease_ = 0;
  Clock::time_point next_keep_alive_{};
  Clock::time_point last_contact_{};  ///< when the last request that was answered was sent
  std::map<std::string, Told> told_;  ///< by pool
  std::uint64_t cluster_ = 0;         ///< etcd's, when it was last listed
  std::int64_t revision_ = 0;         ///< the latest that was seen
  bool outage_ = false;               ///< there was one, and it has not been settled
  std::optional<Clock::time_point> settle_at_;
  unsigned failures_ = 0;  ///< in a row
  bool reload_ = false;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace particle::overlay
