// SPDX-License-Identifier: Apache-2.0
/// System calls that Debian 12's C library has no function for.
#pragma once

#include <cstdint>

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace particle::fleet::spawn {

inline int open_tree(const char* path, unsigned flags) {
  return static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, path, flags));
}
inline int move_mount(int tree, const char* target) {
  return static_cast<int>(
      ::syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}
/// `flags`: AT_RECURSIVE or 0. `attributes` of MOUNT_ATTR_*.
inline int set_mount(int tree, unsigned flags, std::uint64_t attributes) {
  mount_attr change = {};
  change.attr_set = attributes;
  return static_cast<int>(
      ::syscall(SYS_mount_setattr, tree, "", flags | AT_EMPTY_PATH, &change, sizeof(change)));
}
inline int pivot_root(const char* root, const char* old) {
  return static_cast<int>(::syscall(SYS_pivot_root, root, old));
}
inline pid_t clone3(clone_args& args) {
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
}
inline int close_from(unsigned first) {
  return static_cast<int>(::syscall(SYS_close_range, first, ~0U, 0));
}

}  // namespace particle::fleet::spawn
