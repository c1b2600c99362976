// SPDX-License-Identifier: Apache-2.0
/// Moves the bytes of items: straight between workers, or through the store.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "worker/protocol.hpp"

namespace particle::sprocket {

/// Appends `bytes` from `offset` of what stands at `place` to the file `to`, and holds the checksum
/// against it: the transfer's, and the item's where all of it is asked for.
/// Errors: kernel, protocol; busy when the upstream worker cannot be reached or breaks off.
/// `connected` is called once the upstream worker has been reached, or the store's file is open.
Result<void> pull(const Place& place, std::uint64_t offset, std::uint64_t bytes, int to,
                  const std::function<void()>& connected = {});

/// Serves blobs until it is destroyed.
class Server {
 public:
  /// Listens at `address`, at a port that the kernel picks. Errors: kernel.
  static Result<Server> open(const std::string& address);
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// Serves each puller in a thread of its own; `blobs` must stay. Returns at once.
  void start(std::vector<int> blobs);

 private:
  Server(UniqueFd listener, std::uint16_t port) : listener_(std::move(listener)), port_(port) {}
  UniqueFd listener_;
  std::uint16_t port_;
};

}  // namespace particle::sprocket
