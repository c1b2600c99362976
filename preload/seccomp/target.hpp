// SPDX-License-Identifier: Apache-2.0
/// The process behind a notification: its memory, its descriptors and its rights. Everything is copied
/// once, and worth something only if still_waits() says so afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <linux/seccomp.h>
#include <sys/types.h>

#include <particle/unique_fd.hpp>

namespace particle::bind {

/// Does the caller still wait for this very notification, so that its pid is not another's by now?
bool still_waits(int listener, std::uint64_t id);

/// Bytes of the thread's memory; false when it has no such memory (EFAULT).
bool read_memory(pid_t thread, std::uint64_t from, void* to, std::size_t size);
bool write_memory(pid_t thread, std::uint64_t to, const void* from, std::size_t size);

/// A duplicate of its descriptor. Invalid, with errno, when it has none.
UniqueFd duplicate_of(pid_t thread, int fd);

/// What the kernel would ask of the caller, for deeds that it judges by the current thread.
struct Rights {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t umask = 0;
  std::vector<gid_t> groups;
  std::uint64_t capabilities = 0;  ///< effective; none when its user namespace is not ours
};
std::optional<Rights> rights_of(pid_t thread);

/// Lends the calling thread, which must have unshared CLONE_FS, a target's rights, root and working
/// directory until it goes out of scope.
class Impersonation {
 public:
  Impersonation(pid_t thread, const Rights& rights, bool with_files);
  Impersonation(const Impersonation&) = delete;
  Impersonation& operator=(const Impersonation&) = delete;
  ~Impersonation();
  /// False when something could not be taken over: then nothing may be done.
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  bool take_files(pid_t thread, mode_t umask);
  bool complete_ = false;
  bool with_files_ = false;
  std::uint64_t own_capabilities_ = 0;
  std::vector<gid_t> own_groups_;
  mode_t own_umask_ = 0;
  UniqueFd own_root_;
  UniqueFd own_directory_;
};

}  // namespace particle::bind
