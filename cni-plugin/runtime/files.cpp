// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace particle::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLockPatience{10};
constexpr std::chrono::milliseconds kBetweenTries{5};

/// Makes the new file look like the one it will replace.
void adopt_owner(int fd, const std::string& path) {
  struct stat old{};
  if (::stat(path.c_str(), &old) != 0) return;
  // Where ownership cannot be given away the file stays ours, which is who wrote the other one.
  static_cast<void>(::fchown(fd, old.st_uid, old.st_gid) == 0);
  static_cast<void>(::fchmod(fd, old.st_mode & 07777U) == 0);
}

}  // namespace

Result<std::optional<std::string>> read_file(const std::string& path) {
  return particle::read_file(path, kLargestFile);
}

Result<void> replace_file(const std::string& path, const std::string& text, mode_t mode) {
  // One name for all attempts: what a kill leaves is overwritten by the next one.
  const std::string temporary = path + ".particle-new";
  const UniqueFd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd.valid()) return fail(Error::from_errno(errno, "create " + temporary));
  adopt_owner(fd.get(), path);
  Result<void> done = write_all(fd.get(), text, temporary);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) {
    done = fail(Error::from_errno(errno, "rename " + temporary + " to " + path));
  }
  if (!done) ::unlink(temporary.c_str());
  return done;
}

bool exists(const std::string& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

std::string absolute(const std::string& path) {
  std::error_code failed;
  const fs::path whole = fs::absolute(path.empty() ? "." : path, failed);
  const fs::path resolved = fs::weakly_canonical(whole, failed);
  std::string text = failed ? whole.lexically_normal().string() : resolved.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Result<std::optional<DirectoryLock>> DirectoryLock::try_open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return fail(Error::from_errno(errno, "open " + path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) return std::nullopt;
    return fail(Error::from_errno(errno, "lock " + path));
  }
  // The holder before us may have removed the directory that it held.
  struct stat held{};
  struct stat named{};
  if (::fstat(fd.get(), &held) != 0 || ::stat(path.c_str(), &named) != 0 ||
      held.st_ino != named.st_ino) {
    return fail(Error::from_errno(ENOENT, "lock " + path));
  }
  return DirectoryLock(path, std::move(fd));
}

Result<std::optional<DirectoryLock>> DirectoryLock::try_make(const std::string& path) {
  for (;;) {
    std::error_code failed;
    fs::create_directories(fs::path(path).parent_path(), failed);
    if (failed) {
      return fail(Error::from_errno(failed.value(), "make directory " + path));
    }
    // What is inside may name other people's containers: only ours to list.
    if (::mkdir(path.c_str(), 0711) != 0 && errno != EEXIST) {
      if (errno == ENOENT) continue;  // the directory above went with the last container in it
      return fail(Error::from_errno(errno, "make directory " + path));
    }
    auto lock = try_open(path);
    if (lock || lock.error().kind() != Errc::not_found) return lock;
  }
}

Result<std::optional<DirectoryLock>> DirectoryLock::wait_for(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
  for (;;) {
    auto lock = try_open(path);
    if (!lock || *lock || std::chrono::steady_clock::now() >= deadline) return lock;
    std::this_thread::sleep_for(kBetweenTries);
  }
}

Result<void> DirectoryLock::remove_directory() const {
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, failed)) {
    ::unlink(entry.path().c_str());
  }
  if (::rmdir(path_.c_str()) != 0 && errno != ENOENT) {
    return fail(Error::from_errno(errno, "remove " + path_));
  }
  // Those above go with the last in them; whoever comes next makes them again.
  const fs::path node = fs::path(path_).parent_path();
  if (::rmdir(node.c_str()) == 0) ::rmdir(node.parent_path().c_str());
  return {};
}

}  // namespace particle::runtime
