// SPDX-License-Identifier: Apache-2.0
#include "baselines/sandbox.hpp"

#include <cerrno>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::baselines {
namespace {

Result<void> mount_empty(const char* path) {
  if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
    return fail(Error::from_errno(errno, std::string("mount tmpfs on ") + path));
  }
  return {};
}

Result<void> write_file(const char* path, const std::string& text) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  if (!file.valid() || write(file.get(), text.data(), text.size()) < 0) {
    return fail(Error::from_errno(errno, std::string("write ") + path));
  }
  return {};
}

Result<void> map_root(uid_t user, gid_t group) {
  // Kernel: since 3.19 an unprivileged user must give up setgroups(2) before mapping a group.
  if (auto done = write_file("/proc/self/setgroups", "deny"); !done) return done;
  auto done = write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
  if (!done) return done;
  return write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
}

}  // namespace

Result<void> enter_private_mounts() {
  if (unshare(CLONE_NEWNS) != 0) {
    return fail(Error::from_errno(errno, "make a mount namespace (unshare CLONE_NEWNS)"));
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail(Error::from_errno(errno, "make every mount private"));
  }
  if (auto done = mount_empty("/run"); !done) return done;
  // Namespaces that are pinned below it later shall be seen by what has mounts of its own by then.
  if (mount(nullptr, "/run", nullptr, MS_SHARED, nullptr) != 0) {
    return fail(Error::from_errno(errno, "share mounts below /run"));
  }
  // Usually a link to /run. Where it is a directory, `ip netns` would leave files in it.
  std::error_code ignored;
  if (std::filesystem::is_directory("/var/run", ignored) &&
      std::filesystem::canonical("/var/run", ignored) != "/run") {
    return mount_empty("/var/run");
  }
  return {};
}

Result<void> enter_user_namespace() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0) {
    return fail(Error::from_errno(
        errno, "make a user namespace (unshare CLONE_NEWUSER)",
        "run as root, or allow it: sysctl user.max_user_namespaces, "
        "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"));
  }
  return map_root(user, group);
}

}  // namespace particle::baselines
