// SPDX-License-Identifier: Apache-2.0
/// What an instance runs, and within which limits.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle_bind/enforce.hpp>

namespace particle::fleet {

/// What an instance may use; unset is unlimited. Kept by control groups, version 1 or 2.
struct Limits {
  std::optional<std::uint64_t> memory;  ///< bytes, swap included where the kernel accounts it
  std::optional<double> cpus;           ///< 0.5: half of one CPU's time
  std::optional<std::uint64_t> pids;    ///< tasks, threads included
  std::chrono::milliseconds wall_time{
      0};  ///< from started; then SIGKILL and Ended::timed_out. 0: none
};

/// A file or directory of the host that the instance sees.
struct Mount {
  std::string source;  ///< absolute, of the node
  std::string target;  ///< absolute, in the instance; made where the image lacks it
  bool writable = false;
};

/// A function: a command in an image. Plain data; `check_function` names what is wrong with it.
struct Function {
  /// The read-only root: "" for the node's own, an absolute directory, or `oci:DIRECTORY[:TAG]` for an
  /// OCI image layout (unpacked once per node and digest).
  std::string image;
  /// argv; the program is looked up in the image's PATH. Unset: that of the OCI image.
  std::vector<std::string> command;
  std::vector<std::string> environment;  ///< "NAME=value"; PARTICLE_IP and its like are added
  std::string directory{"/"};            ///< where the command starts
  std::vector<Mount> mounts;
  Limits limits;
  bind::Mechanism enforce = bind::Mechanism::automatic;  ///< not preload; other backends: off alone
  std::uint32_t retries =
      0;  ///< how often an instance that failed is started anew, elsewhere if possible
};

}  // namespace particle::fleet
