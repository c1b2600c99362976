// SPDX-License-Identifier: Apache-2.0
/// A job's directory, RUN_DIR/fleet/NODE/JOB: reserves its id, and tells who comes after a kill what there
/// was. Held (flock) by the launcher's process for as long as the job lives.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/node.hpp>
#include <particle/unique_fd.hpp>

namespace particle::fleet {

class JobPlace {
 public:
  /// Errors: already_exists while a job of that id lives on this node.
  static Result<JobPlace> claim(const Node& node, const std::string& job);
  JobPlace(JobPlace&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  JobPlace& operator=(JobPlace&&) = delete;
  /// Removes it.
  ~JobPlace();

  /// An empty directory for the job's mounts.
  [[nodiscard]] std::string stage() const { return path_ + "/stage"; }
  /// Who has to be ended when this process is killed.
  [[nodiscard]] Result<void> record(pid_t spawner, const std::string& pool) const;

 private:
  JobPlace(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;
};

/// "fleet-JOB", as which a job holds its endpoints.
std::string holder_of(const std::string& job);
/// The name of a job's groups for limits, which no other node has.
std::string limit_groups_of(const Node& node, const std::string& job);

/// Ends what jobs of this node left whose launcher was killed. One line for each thing.
Result<std::vector<std::string>> sweep_places(const Node& node);

}  // namespace particle::fleet
