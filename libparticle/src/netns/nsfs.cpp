// SPDX-License-Identifier: Apache-2.0
#include "netns/nsfs.hpp"

#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace particle::detail {

bool is_nsfs(int fd) noexcept {
  struct statfs info{};
  return fstatfs(fd, &info) == 0 && info.f_type == NSFS_MAGIC;
}

bool is_netns(int fd) noexcept {
  return is_nsfs(fd) && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

bool is_current_netns(int fd) noexcept {
  struct stat asked{};
  struct stat own{};
  return fstat(fd, &asked) == 0 && stat("/proc/thread-self/ns/net", &own) == 0 &&
         asked.st_ino == own.st_ino && asked.st_dev == own.st_dev;
}

}  // namespace particle::detail
