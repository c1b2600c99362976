// SPDX-License-Identifier: Apache-2.0
/// A `particle-spawn` process, and the socket to it.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

#include "launcher/starter.hpp"
#include "spawn/wire.hpp"

namespace particle::fleet {

/// Where particle-spawn is: $PARTICLE_SPAWN, beside this program, in PATH. Errors: not_found.
Result<std::string> find_spawner();

class SpawnerLink {
 public:
  /// Starts the process and waits until it has made what the job's instances share.
  /// `listeners`: where instances send their seccomp listeners to; -1 where job.notify_filter is empty.
  /// Errors: not_found (the program, the image, a mount's source), what the kernel refuses.
  static Result<SpawnerLink> start(const std::string& program, const spawn::Job& job, int netns,
                                   int listeners);
  SpawnerLink(SpawnerLink&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        socket_(std::move(other.socket_)),
        waiting_(std::move(other.waiting_)) {}
  SpawnerLink& operator=(SpawnerLink&&) = delete;
  /// Ends the process and all it started, and waits for it.
  ~SpawnerLink();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int fd() const { return socket_.get(); }
  /// Sends now, or as soon as flush() finds room.
  void send(std::string bytes, std::vector<UniqueFd> descriptors = {});
  void flush();
  [[nodiscard]] bool has_waiting() const { return !waiting_.empty(); }
  /// What has come so far. Errors: the process is gone.
  Result<std::vector<spawn::Happened>> receive() const;
  void kill() const;

 private:
  struct Waiting {
    std::string bytes;
    std::vector<UniqueFd> descriptors;
  };
  SpawnerLink(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}
  Result<void> greet(const spawn::Job& job, const std::vector<int>& descriptors) const;

  pid_t pid_;
  UniqueFd socket_;
  std::deque<Waiting> waiting_;
};

}  // namespace particle::fleet
