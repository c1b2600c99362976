// SPDX-License-Identifier: Apache-2.0
/// The pools that ADD makes: who made them, and when an empty one goes.
///
///     <run dir>/cni/<node id>/pools/<pool>/made     the plugin made this pool and may remove it: the network,
///                                                   and from when the pool is there its id
///     <run dir>/cni/<node id>/idle/<pool>           empty since; removed at this second (boot time)
///
/// A pool that somebody else made has no such files, or one with another id, and is never removed here.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <particle/node.hpp>

#include "files/dir_lock.hpp"

namespace particle::cni {

class MadePools {
 public:
  /// `directory`: <run dir>/cni/<node id>. `options`: with which pools are removed.
  MadePools(const Node& node, std::string directory, ApplyOptions options = {});

  /// Marks a pool that is about to be made, and keeps removers away while the lock is held.
  /// Errors: exhausted, permission_denied, io; busy when it is made and removed all the time.
  [[nodiscard]] Result<DirLock> hold(const std::string& pool, const std::string& network) const;
  /// The pool is there now: its mark is good for this one alone.
  void try_identify(const PoolInfo& pool, const std::string& network) const;
  /// Takes the mark back, and the pool with it when it is there and empty.
  void try_remove(const std::string& pool) const;

  /// Removes the pool, or notes since when it is empty, if the plugin made it and no endpoint is
  /// leased. `keep`: how long it stays. Failures are left to the next sweep.
  void try_retire(const std::string& pool, std::chrono::seconds keep) const;
  /// Retires every pool whose time is over.
  void try_sweep() const;
  /// Retires the empty pools that this network's ADDs made and no DEL came for. Those whose time runs
  /// already keep it.
  void try_retire_abandoned(const std::string& network, std::chrono::seconds keep) const;

  /// For `particle gc`, where no verb of the plugin may come any more: removes empty pools whose time is over or
  /// was never noted, and marks of pools that are gone. Says what it did, or would do.
  [[nodiscard]] std::vector<GcFinding> collect(bool dry_run) const;

 private:
  [[nodiscard]] std::string pools() const { return directory_ + "/pools"; }
  [[nodiscard]] std::string idles() const { return directory_ + "/idle"; }
  [[nodiscard]] std::string mark_directory(const std::string& pool) const {
    return pools() + "/" + pool;
  }
  [[nodiscard]] std::string mark(const std::string& pool) const {
    return mark_directory(pool) + "/made";
  }
  [[nodiscard]] std::string idle(const std::string& pool) const { return idles() + "/" + pool; }

  [[nodiscard]] bool is_ours(const std::string& pool) const;
  [[nodiscard]] bool is_empty(const std::string& pool) const;
  /// Its time was noted, and is not over.
  [[nodiscard]] bool is_kept(const std::string& pool) const;
  void remove_mark(const std::string& pool) const;

  const Node& node_;
  std::string directory_;
  ApplyOptions options_;
};

}  // namespace particle::cni
