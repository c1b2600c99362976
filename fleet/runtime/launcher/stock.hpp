// SPDX-License-Identifier: Apache-2.0
/// The endpoints that a job holds: leased in batches, handed from instance to instance, given back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/node.hpp>

namespace particle::fleet {

/// Threads: one at a time.
class Stock {
 public:
  /// `process`: when it is gone, so are the leases (Node::collect_garbage).
  Stock(const Node& node, std::string pool, std::string holder, pid_t process)
      : node_(node), pool_(std::move(pool)), holder_(std::move(holder)), process_(process) {}

  /// Up to `most` endpoints, as many as there are: none is no error.
  Result<std::vector<Lease>> take(std::uint64_t most);
  /// This one. nullopt: somebody holds it, or it rests. Errors: invalid_argument (not of the pool).
  Result<std::optional<Lease>> take_address(const IpAddress& address);
  /// For the job's next instance. `used`: an instance ran there, and may have left sockets.
  void put_back(Lease lease, bool used);
  /// Gives those back to the pool that no instance has.
  Result<void> release_free();
  /// Gives all of the job's endpoints back.
  Result<void> release_all();
  [[nodiscard]] bool has_free() const { return !free_.empty(); }

 private:
  Result<std::vector<Lease>> lease(std::uint64_t count);
  void end_sockets();

  const Node& node_;
  std::string pool_;
  std::string holder_;
  pid_t process_;
  std::vector<Lease> free_;
  std::vector<Endpoint> used_;  ///< of those that are free
};

}  // namespace particle::fleet
