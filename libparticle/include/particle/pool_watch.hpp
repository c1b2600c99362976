// SPDX-License-Identifier: Apache-2.0
/// Waking up when a node's pools change, whichever process changed them.
#pragma once

#include <memory>
#include <string>

#include <particle/result.hpp>

namespace particle {

/// Threads: used by one thread at a time.
class PoolWatch {
 public:
  /// Watches the node whose records are in `node_directory` (Node::directory()), which need not exist
  /// yet. Errors: the errno of inotify_init1(2) or inotify_add_watch(2).
  static Result<PoolWatch> open(const std::string& node_directory);
  PoolWatch(PoolWatch&&) noexcept;
  PoolWatch& operator=(PoolWatch&&) noexcept;
  ~PoolWatch();

  /// Readable when a pool may have been made, resized or removed.
  [[nodiscard]] int fd() const noexcept;
  /// Call when fd() is readable: takes what is to be read and watches what is new. Returns whether a
  /// pool may have changed; a change of leases alone is none.
  [[nodiscard]] Result<bool> acknowledge();

 private:
  struct Impl;
  explicit PoolWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace particle
