// SPDX-License-Identifier: Apache-2.0
/// etcd v3 over its JSON gateway: reads, transactions, leases and one watch.
///
/// Threads: one thread at a time, but for wake().
/// Errors of every call: io when no server answers (then the next call asks the next server);
/// permission_denied; not_found for a lease that is no more; exhausted (the server's disk quota, or too
/// many requests); protocol for an answer that is not etcd's; interrupted. etcd's own words are in
/// kernel_message.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <particle/result.hpp>

#include "overlay-adapters/etcd/http.hpp"
#include "overlay-adapters/etcd/settings.hpp"

namespace particle::overlay {

struct KeyValue {
  std::string key;
  std::string value;
  std::int64_t created = 0;   ///< the revision that made the key; remains while the key does
  std::int64_t modified = 0;  ///< the revision of this value
  std::int64_t lease = 0;     ///< 0: none
};

/// All keys below a prefix at one revision.
struct Listing {
  std::uint64_t cluster = 0;  ///< etcd's id of itself
  std::int64_t revision = 0;
  std::vector<KeyValue> keys;
};

struct Condition {
  enum class What : std::uint8_t { created, modified, lease };
  std::string key;
  What what = What::modified;
  std::int64_t equals = 0;  ///< created 0: there is no such key
};
struct Change {
  std::string key;
  std::optional<std::string> value;  ///< nothing: delete the key
  std::int64_t lease = 0;
};
/// As many changes as etcd takes in one transaction (--max-txn-ops, 128 by default), with a margin.
inline constexpr std::size_t kMostChanges = 100;

struct Committed {
  bool done = false;  ///< false: a condition did not hold, nothing was changed
  std::int64_t revision = 0;
};

/// One thing that a watch says.
struct WatchNews {
  std::vector<KeyValue> put;
  std::vector<KeyValue> deleted;  ///< key and modified only
  bool compacted =
      false;  ///< the watch is over, as part of what it was to tell is gone: list again
  std::optional<std::string> refused;  ///< the watch is over, in etcd's words
};

class EtcdClient {
 public:
  EtcdClient(EtcdSettings settings, std::stop_token stop);

  /// Obtains a token when there is a user.
  Result<void> authenticate();
  Result<Listing> list(const std::string& prefix);
  /// All of the changes when all of the conditions hold.
  Result<Committed> commit(const std::vector<Condition>& conditions,
                           const std::vector<Change>& changes);
  /// Returns the lease's id.
  Result<std::int64_t> grant(std::chrono::seconds ttl);
  /// Errors: not_found when it is over.
  Result<void> keep_alive(std::int64_t lease);

  void watch(const std::string& prefix, std::int64_t from_revision);
  /// What has been said since the last call. Errors: io when the connection ended.
  Result<std::vector<WatchNews>> news();
  void wait(std::chrono::milliseconds limit) { http_.wait(limit); }
  void wake() { http_.wake(); }

  [[nodiscard]] const std::string& endpoint() const { return settings_.endpoints[current_]; }
  /// Uses another server from now on.
  void next_endpoint();

 private:
  Result<nlohmann::json> call(const std::string& path, const nlohmann::json& body);
  Result<nlohmann::json> call_once(const std::string& path, const std::string& body);

  EtcdSettings settings_;
  Http http_;
  std::size_t current_ = 0;
  std::string token_;
};

}  // namespace particle::overlay
