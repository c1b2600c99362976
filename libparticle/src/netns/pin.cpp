// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <particle/netns.hpp>

#include "netns/hints.hpp"
#include "netns/mount_home.hpp"
#include "netns/nsfs.hpp"
#include "netns/pin.hpp"

namespace particle {
namespace {

struct PinPath {
  std::string directory;  ///< absolute, without symbolic links
  std::string full;
};

/// Makes `path` mean the same in every mount namespace that has the same directories.
Result<PinPath> resolve(const std::string& path, const std::string& operation) {
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == ".." || path.find('\0') != std::string::npos) {
    return fail(Error::of(Errc::invalid_argument, operation, "a pin's path ends in a file name"));
  }
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(parent.c_str(), nullptr),
                                                         &std::free);
  if (!real) return fail(Error::from_errno(errno, operation, "the directory must exist"));
  std::string directory(real.get());
  std::string full = (directory == "/" ? "" : directory) + "/" + name;
  return PinPath{std::move(directory), std::move(full)};
}

/// Is a namespace mounted at `path`, as this thread sees it?
bool is_pinned_here(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  return file.valid() && detail::is_nsfs(file.get());
}

Error taken(const std::string& path, const std::string& operation) {
  return Error::of(Errc::already_exists, operation,
                   is_pinned_here(path)
                       ? "a namespace is pinned there already"
                       : "a file without a namespace is in the way, left by a crash "
                         "perhaps: remove it (`particle gc`)");
}

Error mount_refused(int error, const std::string& operation) {
  const char* hint = "";
  if (error == EPERM) hint = detail::kNeedsMountNs;
  if (error == ENOSPC) hint = "too many mounts: raise fs.mount-max";
  return Error::from_errno(error, operation, hint);
}

Result<void> pin_here(int netns_fd, const std::string& path) {
  const std::string operation = "pin network namespace at " + path;
  const UniqueFd file(
      open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!file.valid()) {
    return fail(errno == EEXIST ? taken(path, operation) : Error::from_errno(errno, operation));
  }
  const std::string source = "/proc/self/fd/" + std::to_string(netns_fd);
  if (mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    const int error = errno;
    unlink(path.c_str());
    return fail(mount_refused(error, operation));
  }
  return {};
}

Result<NetNs> open_here(const std::string& path) {
  const std::string operation = "open pinned network namespace " + path;
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  if (!file.valid()) return fail(Error::from_errno(errno, operation));
  if (!detail::is_netns(file.get())) {
    return fail(Error::of(Errc::not_found, operation + ": nothing is pinned on this file",
                          "left by a crash or a reboot: `particle gc` removes it"));
  }
  return NetNs(std::move(file));
}

/// Takes every namespace off `path`; a lazy unmount never waits for users of the mount.
Result<void> unmount_here(const std::string& path, const std::string& operation) {
  while (is_pinned_here(path)) {
    if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    // EINVAL: another process was faster, or the mount is locked (made outside our user namespace);
    // unlink(2) tells the two apart with EBUSY.
    if (errno == EINVAL || errno == ENOENT) return {};
    return fail(mount_refused(errno, operation));
  }
  return {};
}

Result<void> unpin_here(const std::string& path) {
  const std::string operation = "unpin network namespace " + path;
  if (auto unmounted = unmount_here(path, operation); !unmounted) return unmounted;
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail(Error::from_errno(errno, operation));
  }
  if (!S_ISREG(info.st_mode) || info.st_size != 0) {
    return fail(Error::of(Errc::invalid_argument, operation + ": not a pin",
                          "a pin is an empty regular file; this one was left alone"));
  }
  // Copies of the mount in other mount namespaces (a shell under `ip netns exec`, say) would keep
  // the network namespace alive. Unlinking the file detaches them everywhere: since 3.18
  // fs/namei.c:vfs_unlink calls detach_mounts() and refuses (EBUSY) only for a mount of our own.
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail(Error::from_errno(errno, operation));
  return {};
}

}  // namespace

namespace detail {

Result<void> pin_netns(const MountHome& home, const NetNs& netns, const std::string& path) {
  if (home.is_here()) return pin_here(netns.fd(), path);
  auto where = resolve(path, "pin network namespace at " + path);
  if (!where) return fail(std::move(where.error()));
  return home.run(where->directory, [&] { return pin_here(netns.fd(), where->full); });
}

void find_home(const MountHome& home, const std::string& path) {
  if (home.is_here()) return;
  const auto where = resolve(path, "pin network namespace at " + path);
  if (where) (void)home.run(where->directory, [] { return Result<void>(); });
}

Result<void> unpin_netns(const MountHome& home, const std::string& path) {
  if (home.is_here()) return unpin_here(path);
  auto where = resolve(path, "unpin network namespace " + path);
  if (!where) {
    if (where.error().kind() == Errc::not_found) return {};
    return fail(std::move(where.error()));
  }
  return home.run(where->directory, [&] { return unpin_here(where->full); });
}

}  // namespace detail

Result<void> pin_netns(const NetNs& netns, const std::string& path) {
  return detail::pin_netns(detail::MountHome{}, netns, path);
}

Result<NetNs> open_pinned_netns(const std::string& path) {
  // What is mounted here is what is mounted at home: a pin's end takes the copies with it.
  if (auto seen = open_here(path); seen) return seen;
  auto where = resolve(path, "open pinned network namespace " + path);
  if (!where) return fail(std::move(where.error()));
  std::optional<NetNs> found;
  auto opened = detail::run_at_mount_home(where->directory, [&]() -> Result<void> {
    auto netns = open_here(where->full);
    if (!netns) return fail(std::move(netns.error()));
    found.emplace(std::move(*netns));
    return {};
  });
  if (!opened) return fail(std::move(opened.error()));
  return std::move(*found);
}

Result<void> unpin_netns(const std::string& path) {
  return detail::unpin_netns(detail::MountHome{}, path);
}

}  // namespace particle
