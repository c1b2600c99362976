// SPDX-License-Identifier: Apache-2.0
#include "pool/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>

namespace particle {
namespace {

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::string temporary_beside(const std::string& path) {
  std::uint64_t random = 0;
  if (getrandom(&random, sizeof random, 0) < 0) random = static_cast<std::uint64_t>(getpid());
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(random));
  return parent_of(path) + "/" + kTemporaryPrefix + text.data();
}

Error path_error(int error, const char* verb, const std::string& path) {
  std::string hint;
  if (error == EACCES || error == EPERM)
    hint = "run as root, or choose a directory you may write with --run-dir";
  if (error == EROFS)
    hint = "the file system is read-only; choose another directory with --run-dir";
  if (error == ENOSPC || error == EDQUOT)
    hint = "free some space, or choose another directory with --run-dir";
  return Error::from_errno(error, std::string(verb) + " " + path, std::move(hint));
}

Result<void> write_new_file(const std::string& path, const std::string& content) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.valid()) return fail(path_error(errno, "create", path));
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = ::write(fd.get(), content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::unlink(path.c_str());
      return fail(path_error(error, "write", path));
    }
    done += static_cast<std::size_t>(n);
  }
  return {};
}

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

Result<void> make_directories(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT || path == "/") return fail(path_error(errno, "mkdir", path));
  if (auto parent = make_directories(parent_of(path)); !parent) return parent;
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return fail(path_error(errno, "mkdir", path));
}

Result<std::optional<std::string>> read_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>{};
    return fail(path_error(errno, "open", path));
  }
  std::string content;
  std::array<char, 8192> buffer{};
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(path_error(errno, "read", path));
    if (n == 0) return std::optional<std::string>(std::move(content));
    content.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Result<void> write_file_atomically(const std::string& path, const std::string& content) {
  const std::string temporary = temporary_beside(path);
  if (auto written = write_new_file(temporary, content); !written) return written;
  auto renamed = rename_file(temporary, path);
  if (!renamed) ::unlink(temporary.c_str());
  return renamed;
}

Result<void> make_directory_with_file(const std::string& path, const std::string& file,
                                      const std::string& content) {
  const std::string temporary = temporary_beside(path);
  if (auto parent = make_directories(parent_of(path)); !parent) return parent;
  if (::mkdir(temporary.c_str(), 0755) < 0) return fail(path_error(errno, "mkdir", temporary));
  // By name: to list a directory takes a descriptor, and their lack may be what went wrong.
  const std::string inner = temporary + "/" + file;
  const auto remove = [&] {
    ::unlink(inner.c_str());
    ::rmdir(temporary.c_str());
  };
  if (auto written = write_new_file(inner, content); !written) {
    remove();
    return written;
  }
  // rename(2) would replace an empty directory; RENAME_NOREPLACE never does.
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  const int error = errno;
  remove();
  return fail(path_error(error, "create", path));
}

Result<void> remove_flat_directory(const std::string& path) {
  auto entries = list_directory(path);
  if (!entries) return fail(std::move(entries.error()));
  for (const auto& entry : *entries) {
    const std::string inner = path + "/" + entry;
    if (::unlink(inner.c_str()) == 0 || errno == ENOENT) continue;
    if ((errno == EISDIR || errno == EPERM) && ::rmdir(inner.c_str()) == 0) continue;
    return fail(path_error(errno, "remove", inner));
  }
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail(path_error(errno, "rmdir", path));
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return fail(path_error(errno, "remove", path));
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return fail(path_error(errno, "rename", from + " to " + to));
}

std::optional<std::string> read_symlink(const std::string& path) {
  std::array<char, 512> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(size));
}

Result<void> make_symlink(const std::string& target, const std::string& path) {
  if (::symlink(target.c_str(), path.c_str()) == 0) return {};
  if (errno == ENOENT) {
    if (auto parent = make_directories(parent_of(path)); !parent) return parent;
    if (::symlink(target.c_str(), path.c_str()) == 0) return {};
  }
  const int error = errno;
  // A cut-off create may have left it: the same name points to the same place.
  if (error == EEXIST && read_symlink(path) == target) return {};
  return fail(path_error(error, "symlink", path));
}

bool file_exists(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<std::string> entries;
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return entries;
    return fail(path_error(errno, "open", path));
  }
  // opendir(3) would take 32 KiB from the heap, which grows for it and is trimmed after it.
  alignas(dirent64) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = ::getdents64(fd.get(), buffer.data(), buffer.size());
    // ENOENT: it was removed since it was opened, and has no entries any more.
    if (size == 0 || (size < 0 && errno == ENOENT)) break;
    if (size < 0) return fail(path_error(errno, "list", path));
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += entry->d_reclen;
      std::string name = entry->d_name;
      if (name != "." && name != "..") entries.push_back(std::move(name));
    }
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

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
