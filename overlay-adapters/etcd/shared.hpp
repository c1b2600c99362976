// SPDX-License-Identifier: Apache-2.0
/// What the adapter's two threads have in common: the caller's, which says what this node has, and the
/// worker, which talks to etcd.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "overlay-adapters/etcd/directory.hpp"
#include "overlay-adapters/etcd/settings.hpp"

namespace particle::overlay {

/// How this node stands in the cluster.
enum class Standing : std::uint8_t {
  unregistered,  ///< not yet, or not any more
  registered,
  name_taken,  ///< another machine has registered the node's name
};

struct EtcdShared {
  EtcdShared(std::string node_name, std::string id, EtcdKeys where)
      : node(std::move(node_name)), node_id(std::move(id)), keys(std::move(where)), known(keys) {}

  const std::string node;
  const std::string node_id;
  const EtcdKeys keys;
  UniqueFd event;  ///< an eventfd: what follows may have changed

  std::mutex mutex;  ///< of everything below

  // From the caller.
  std::map<std::string, std::string> wanted;  ///< this node's announcements as JSON, by pool
  std::set<std::string> withdrawn;            ///< pools that were wanted, or never, and are not now
  bool told_all = false;  ///< what is under this node's name and not in `wanted` is not its own
  std::optional<EtcdSettings> new_settings;

  // From the worker.
  Directory known;
  /// What was known before etcd went back in time, and what it has said since. Holds until everybody
  /// had time to repeat what is lost.
  std::optional<Directory> before;
  bool listed = false;    ///< `known` has been read
  bool settled = false;   ///< connected, and everybody had time to come back after an outage
  bool settling = false;  ///< connected, and they have that time now
  Standing standing = Standing::unregistered;
  std::size_t pending = 0;       ///< changes of this node's that etcd has not confirmed
  std::optional<Error> trouble;  ///< why there is no connection
  std::string named_by;          ///< the other machine's id, while name_taken

  /// Call it without holding the mutex, or with.
  void signal() const;
};

}  // namespace particle::overlay
