// SPDX-License-Identifier: Apache-2.0
#include "files/dir_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "files/files.hpp"
#include "files/path_error.hpp"

namespace particle {
namespace {

bool same_directory(int fd, const std::string& path) {
  struct stat held{};
  struct stat named{};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

int flock_retrying(int fd, int operation) {
  int result = 0;
  do {
    result = ::flock(fd, operation);
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

Result<DirLock> DirLock::acquire(const std::string& path, Mode mode, bool create) {
  for (;;) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) {
      if (errno != ENOENT || !create) return fail(path_error(errno, "lock", path));
      if (auto made = make_directories(path); !made) return fail(std::move(made.error()));
      continue;
    }
    if (flock_retrying(fd.get(), mode == Mode::shared ? LOCK_SH : LOCK_EX) < 0) {
      return fail(path_error(errno, "lock", path));
    }
    if (same_directory(fd.get(), path)) return DirLock(std::move(fd));
  }
}

Result<std::optional<DirLock>> DirLock::try_acquire(const std::string& path, Mode mode) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return std::optional<DirLock>{};
    return fail(path_error(errno, "lock", path));
  }
  const int operation = (mode == Mode::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  if (flock_retrying(fd.get(), operation) < 0) {
    if (errno == EWOULDBLOCK) return std::optional<DirLock>{};
    return fail(path_error(errno, "lock", path));
  }
  if (!same_directory(fd.get(), path)) return std::optional<DirLock>{};
  return std::optional<DirLock>(DirLock(std::move(fd)));
}

}  // namespace particle
