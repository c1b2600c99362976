// SPDX-License-Identifier: Apache-2.0
/// `Launcher`: starts the instances of jobs on this node. What all instances of a job share (the
/// image's mount tree, the pool's namespace, the filter, control groups) is made once per job.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <particle/node.hpp>
#include <particle_fleet/job.hpp>

namespace particle::fleet {

enum class Backend : std::uint8_t { builtin, runc, containerd };
std::string_view to_string(Backend backend) noexcept;
Result<Backend> parse_backend(std::string_view text);

struct LauncherOptions {
  std::string name;  ///< of this node in events; unset: the host's name
  Backend backend = Backend::builtin;
  std::string program;     ///< runc or ctr; unset: looked up in PATH
  std::string containerd;  ///< its socket; unset: /run/containerd/containerd.sock
};

/// Threads: members may be called concurrently. Several launchers may live on one node.
class Launcher {
 public:
  /// Errors: permission_denied, unsupported (the kernel lacks a namespace), not_found (no backend).
  static Result<Launcher> open(Node node, LauncherOptions options = {});
  Launcher(Launcher&&) noexcept;
  Launcher& operator=(Launcher&&) noexcept;
  ~Launcher();

  /// `observer` must outlive the job. Errors: those of check_job; not_found for the pool, image or
  /// program; already_exists for the id.
  [[nodiscard]] Result<std::unique_ptr<RunningJob>> start(const JobSpec& job,
                                                          JobObserver& observer) const;
  /// Endpoints of the pool that no one holds.
  [[nodiscard]] Result<std::uint64_t> free_endpoints(const std::string& pool) const;
  /// Ends what killed launchers of this node left: processes, control groups, mounts, leases. Returns
  /// one line for each. Called by open().
  [[nodiscard]] Result<std::vector<std::string>> sweep() const;

 private:
  struct State;
  explicit Launcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace particle::fleet
