// SPDX-License-Identifier: Apache-2.0
#include "spawn/stage.hpp"

#include <array>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "spawn/calls.hpp"

namespace particle::fleet::spawn {
namespace {

constexpr std::uint64_t kReadOnly = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;

struct Device {
  const char* name;
  unsigned major, minor;
};
constexpr std::array<Device, 6> kDevices = {{{"null", 1, 3},
                                             {"zero", 1, 5},
                                             {"full", 1, 7},
                                             {"random", 1, 8},
                                             {"urandom", 1, 9},
                                             {"tty", 5, 0}}};
constexpr std::array<std::array<const char*, 2>, 5> kLinks = {{{"/proc/self/fd", "dev/fd"},
                                                               {"/proc/self/fd/0", "dev/stdin"},
                                                               {"/proc/self/fd/1", "dev/stdout"},
                                                               {"/proc/self/fd/2", "dev/stderr"},
                                                               {"pts/ptmx", "dev/ptmx"}}};

struct Tree {
  int fd = -1;
  bool directory = true;
};

/// A copy of a mount, or of a part of one, that is nowhere yet.
Failure copy_tree(const std::string& path, bool deep, std::uint64_t attributes, Tree& tree) {
  const unsigned recursive = deep ? AT_RECURSIVE : 0;
  tree.fd = open_tree(path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
  if (tree.fd < 0) return last_failure("open", path);
  struct stat status = {};
  if (::fstat(tree.fd, &status) != 0) return last_failure("stat", path);
  tree.directory = S_ISDIR(status.st_mode);
  if (set_mount(tree.fd, recursive, attributes) != 0) {
    return last_failure("make read-only", path);
  }
  return {};
}

Failure make_directory(const std::string& path, mode_t mode = 0755) {
  return ::mkdir(path.c_str(), mode) == 0 || errno == EEXIST ? Failure{}
                                                             : last_failure("make", path);
}

Failure make_file(const std::string& path, const std::string& text = {}) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return last_failure("make", path);
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return whole ? Failure{} : last_failure("write", path);
}

Failure put(const Tree& tree, const std::string& target) {
  if (Failure bad = tree.directory ? make_directory(target) : make_file(target)) return bad;
  const bool moved = move_mount(tree.fd, target.c_str()) == 0;
  const int error = errno;
  ::close(tree.fd);
  return moved ? Failure{} : failure(error, "mount", target);
}

Failure mount_fresh(const char* type, const std::string& target, unsigned long flags,
                    const char* options) {
  return ::mount(type, target.c_str(), type, flags, options) == 0
             ? Failure{}
             : last_failure("mount " + std::string(type) + " at", target);
}

/// A directory of the shared layer looks as the image's does, where that has one.
Failure shared_directory(const std::string& path) {
  struct stat status = {};
  const bool there = ::stat(("image" + path).c_str(), &status) == 0;
  const std::string here = "shared" + path;
  if (Failure bad = make_directory(here)) return bad;
  if (there && (::chown(here.c_str(), status.st_uid, status.st_gid) != 0 ||
                ::chmod(here.c_str(), status.st_mode & 07777) != 0)) {
    return last_failure("copy the owner of", path);
  }
  return {};
}

/// The mount point `path`, with every directory above it, in the shared layer. A symbolic link of the
/// image on the way would be hidden by it, and with it what it leads to: refused.
Failure mount_point(const std::string& path, bool directory) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    struct stat status = {};
    if (::lstat(("image" + part).c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
      return failure(ELOOP, "mount at a symbolic link of the image:", part);
    }
    if (end == std::string::npos) break;
    if (Failure bad = shared_directory(part)) return bad;
  }
  return directory ? shared_directory(path) : make_file("shared" + path);
}

/// Devices as containers expect them. Without the right to make nodes the host's are bound.
Failure make_devices() {
  if (Failure bad = make_directory("dev")) return bad;
  if (Failure bad = mount_fresh("tmpfs", "dev", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k")) {
    return bad;
  }
  const mode_t mask = ::umask(0);
  Failure bad;
  for (const Device& one : kDevices) {
    const std::string path = std::string("dev/") + one.name;
    if (::mknod(path.c_str(), S_IFCHR | 0666, ::makedev(one.major, one.minor)) == 0) continue;
    bad = make_file(path);
    if (!bad && ::mount(("/" + path).c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      bad = last_failure("bind", path);
    }
    if (bad) break;
  }
  ::umask(mask);
  for (const auto& [to, at] : kLinks) {
    if (!bad && ::symlink(to, at) != 0) bad = last_failure("link", at);
  }
  for (const char* name : {"dev/pts", "dev/shm", "dev/mqueue"}) {
    if (!bad) bad = make_directory(name);
  }
  if (!bad && ::mount(nullptr, "dev", nullptr,
                      MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr) != 0) {
    bad = last_failure("make read-only", "/dev");
  }
  return bad;
}

Failure make_sys() {
  if (Failure bad = make_directory("sys")) return bad;
  constexpr unsigned long kFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  return mount_fresh("sysfs", "sys", kFlags, nullptr);
}

/// A user namespace may mount proc only where it sees a whole one already.
Failure keep_proc() {
  if (!in_user_namespace()) return {};
  if (Failure bad = make_directory("proc")) return bad;
  Tree tree;
  if (Failure bad = copy_tree("/proc", true, MOUNT_ATTR_RDONLY, tree)) return bad;
  return put(tree, "proc");
}

Failure make_shared(const Job& job) {
  if (Failure bad = make_directory("shared")) return bad;
  for (const char* point : {"/dev", "/proc", "/sys", "/etc", "/tmp"}) {
    if (Failure bad = mount_point(point, true)) return bad;
  }
  struct stat status = {};
  if (::stat("image/tmp", &status) != 0 && ::chmod("shared/tmp", 01777) != 0) {
    return last_failure("open to all", "/tmp");
  }
  return make_file("shared/etc/resolv.conf", job.resolv_conf);
}

/// A directory of the image that is to be empty: one of the shared layer that overlayfs takes as opaque.
Failure hide(const std::string& path) {
  struct stat status = {};
  if (::lstat(("image" + path).c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return {};
  if (Failure bad = mount_point(path, true)) return bad;
  const char* mark = in_user_namespace() ? "user.overlay.opaque" : "trusted.overlay.opaque";
  return ::setxattr(("shared" + path).c_str(), mark, "y", 1, 0) == 0 ? Failure{}
                                                                     : last_failure("hide", path);
}

/// One layer is the image; several are put upon each other.
Failure make_image(const std::vector<Tree>& layers) {
  if (layers.size() == 1) return put(layers.front(), "image");
  if (Failure bad = make_directory("layers")) return bad;
  std::string options = in_user_namespace() ? "userxattr,lowerdir=" : "lowerdir=";
  for (std::size_t i = layers.size(); i > 0; --i) {
    const std::string path = "layers/" + std::to_string(i - 1);
    if (Failure bad = put(layers[i - 1], path)) return bad;
    options += path + (i > 1 ? ":" : "");
  }
  if (Failure bad = make_directory("image")) return bad;
  return mount_fresh("overlay", "image", MS_RDONLY | MS_NODEV, options.c_str());
}

Failure make_tree(const Job& job, const std::vector<Tree>& layers, const std::vector<Tree>& binds) {
  for (const char* name : {"binds", "layer", "root", "empty"}) {
    if (Failure bad = make_directory(name)) return bad;
  }
  if (Failure bad = make_image(layers)) return bad;
  if (Failure bad = make_devices()) return bad;
  if (Failure bad = make_sys()) return bad;
  if (Failure bad = keep_proc()) return bad;
  if (Failure bad = make_shared(job)) return bad;
  for (const std::string& path : job.hidden) {
    if (Failure bad = hide(path)) return bad;
  }
  for (std::size_t i = 0; i < binds.size(); ++i) {
    if (Failure bad = mount_point(job.mounts[i].target, binds[i].directory)) return bad;
    if (Failure bad = put(binds[i], "binds/" + std::to_string(i))) return bad;
  }
  return {};
}

}  // namespace

bool in_user_namespace() {
  static const bool inside = [] {
    std::array<char, 64> text{};
    const int fd = ::open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? 0 : ::read(fd, text.data(), text.size() - 1);
    ::close(fd);
    unsigned long inner = 0;
    unsigned long outer = 0;
    unsigned long count = 0;
    return size > 0 && std::sscanf(text.data(), "%lu %lu %lu", &inner, &outer, &count) == 3 &&
           count != 0xffffffffUL;
  }();
  return inside;
}

Failure build_stage(const Job& job, int netns) {
  static_cast<void>(in_user_namespace());  // /proc is there now
  if (::setns(netns, CLONE_NEWNET) != 0) return last_failure("enter the pool's namespace");
  if (::unshare(CLONE_NEWNS) != 0) return last_failure("make a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return last_failure("make mounts private");
  }
  std::vector<Tree> layers(job.layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (Failure bad = copy_tree(job.layers[i], false, kReadOnly, layers[i])) return bad;
    if (!layers[i].directory) return failure(ENOTDIR, "open the image", job.layers[i]);
  }
  std::vector<Tree> binds(job.mounts.size());
  for (std::size_t i = 0; i < binds.size(); ++i) {
    const Shown& one = job.mounts[i];
    const std::uint64_t attributes =
        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (one.writable ? 0 : MOUNT_ATTR_RDONLY);
    if (Failure bad = copy_tree(one.source, true, attributes, binds[i])) return bad;
  }
  if (Failure bad = mount_fresh("tmpfs", job.stage, MS_NOSUID, "mode=0755,size=1m")) return bad;
  if (::chdir(job.stage.c_str()) != 0) return last_failure("enter", job.stage);
  if (Failure bad = make_tree(job, layers, binds)) return bad;
  if (pivot_root(".", ".") != 0) return last_failure("pivot_root to", job.stage);
  if (::umount2(".", MNT_DETACH) != 0) return last_failure("leave the host's tree");
  return ::chdir("/") == 0 ? Failure{} : last_failure("enter", "/");
}

}  // namespace particle::fleet::spawn
