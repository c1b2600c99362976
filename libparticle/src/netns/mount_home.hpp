// SPDX-License-Identifier: Apache-2.0
/// Which mount namespace a pin belongs in.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "netns/worker.hpp"

namespace particle::detail {

/// Runs `work` in the mount namespace where a mount below `directory` (absolute) outlives us.
///
/// `ip netns exec A particle ...` runs in a mount namespace of its own, which ends with the
/// process, and every bind mount in it too. So we look up the line of our ancestors, pid 1 first,
/// for the oldest one whose mount namespace we may enter and in which `directory` is the very same
/// directory (st_dev, st_ino): that is home. Pid 1 itself is often out of reach (hardened, or
/// outside our user namespace), hence the ancestors. A directory that is private to our mount
/// namespace, such as a tmpfs made after `unshare --mount`, is found nowhere else, and `work` runs
/// here. Where we are home already, the usual case, `work` runs on the calling thread, after two
/// stat(2) calls.
///
/// Threads: `work` may run on a throw-away thread with its own root and working directory.
Result<void> run_at_mount_home(const std::string& directory, const Work& work);

/// As run_at_mount_home, for one tree of directories: remembers that a mount namespace is home.
/// Where pid 1 is out of reach, looking up the ancestors takes about 80 us, a tenth of a pool.
/// Threads: may be shared.
class MountHome {
 public:
  Result<void> run(const std::string& directory, const Work& work) const;
  /// Known to be home from an earlier run.
  [[nodiscard]] bool is_here() const;

 private:
  mutable std::atomic<std::uint64_t> home_{0};  ///< inode of the mount namespace that is home
};

}  // namespace particle::detail
