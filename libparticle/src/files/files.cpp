// SPDX-License-Identifier: Apache-2.0
#include "files/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <ranges>
#include <system_error>

#include <particle/unique_fd.hpp>

#include "files/path_error.hpp"

namespace particle {
namespace {

constexpr time_t kCutOffAfterSeconds = 60;
/// How often what another process removed meanwhile is made again.
constexpr int kAttempts = 100;

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

Result<void> write_new_file(const std::string& path, const std::string& content) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.valid()) return fail(path_error(errno, "create", path));
  auto written = write_all(fd.get(), content, path);
  if (!written) ::unlink(path.c_str());
  return written;
}

/// Makes the directories `below` inside `temporary`, the file in the last of them, and gives it the name
/// `top`. Removes it when that fails.
Result<void> rename_with_file(const std::string& temporary, const std::vector<std::string>& below,
                              const std::string& file, const std::string& content,
                              const std::string& top) {
  std::vector<std::string> directories{temporary};
  const auto remove = [&] {
    // By name: to list a directory takes a descriptor, and their lack may be what went wrong.
    ::unlink((directories.back() + "/" + file).c_str());
    for (const auto& each : std::ranges::reverse_view(directories)) ::rmdir(each.c_str());
  };
  const auto fail_after = [&](const char* verb, const std::string& path) -> Result<void> {
    const int error = errno;
    remove();
    return fail(path_error(error, verb, path));
  };
  for (const auto& name : below) {
    const std::string inner = directories.back() + "/" + name;
    if (::mkdir(inner.c_str(), 0755) < 0) return fail_after("mkdir", inner);
    directories.push_back(inner);
  }
  if (auto written = write_new_file(directories.back() + "/" + file, content); !written) {
    remove();
    return written;
  }
  // rename(2) would replace an empty directory; RENAME_NOREPLACE never does.
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, top.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  return fail_after("create", top);
}

}  // namespace

Result<void> make_directories(const std::string& path) {
  // Its parent may go again before it is in there: another process found that one empty.
  for (int attempt = 1;; ++attempt) {
    if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
    if (errno != ENOENT || path == "/" || attempt == kAttempts)
      return fail(path_error(errno, "mkdir", path));
    if (auto parent = make_directories(parent_of(path)); !parent) return parent;
  }
}

Result<std::string> read_all(int fd, const std::string& name, std::size_t most) {
  std::string content;
  std::array<char, 8192> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) return content;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(path_error(errno, "read", name));
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > most)
      return fail(Error::of(Errc::corrupt_state, name + " is larger than it can be"));
  }
}

Result<void> write_all(int fd, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(path_error(errno, "write", name));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::optional<std::string>> read_file(const std::string& path, std::size_t most) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>{};
    return fail(path_error(errno, "open", path));
  }
  auto content = read_all(fd.get(), path, most);
  if (!content) return fail(std::move(content.error()));
  return std::optional<std::string>(*std::move(content));
}

Result<void> write_file_atomically(const std::string& path, const std::string& content) {
  const std::string temporary = temporary_beside(path);
  if (auto written = write_new_file(temporary, content); !written) return written;
  auto renamed = rename_file(temporary, path);
  if (!renamed) ::unlink(temporary.c_str());
  return renamed;
}

Result<void> place_file(const std::string& path, const std::string& content) {
  // Another process may remove the directory, found empty, before the file is in it: then it is made with
  // the file inside, which nobody removes.
  for (int attempt = 1;; ++attempt) {
    auto written = write_file_atomically(path, content);
    if (written || written.error().kind() != Errc::not_found || attempt == kAttempts)
      return written;
    auto made =
        make_directory_with_file(parent_of(path), path.substr(path.rfind('/') + 1), content);
    if (made || made.error().kind() != Errc::already_exists) return made;
  }
}

Result<void> make_directory_with_file(const std::string& path, const std::string& file,
                                      const std::string& content) {
  // Directories above it that are missing come with it: made first they could go again, found empty.
  for (int attempt = 1;; ++attempt) {
    std::string top = path;
    std::vector<std::string> below;
    std::string temporary = temporary_beside(top);
    while (::mkdir(temporary.c_str(), 0755) < 0) {
      const std::string parent = parent_of(top);
      if (errno != ENOENT || parent == "/") return fail(path_error(errno, "mkdir", temporary));
      below.insert(below.begin(), top.substr(top.rfind('/') + 1));
      top = parent;
      temporary = temporary_beside(top);
    }
    auto placed = rename_with_file(temporary, below, file, content, top);
    const bool parent_came =
        !placed && placed.error().kind() == Errc::already_exists && !below.empty();
    if (!parent_came || attempt == kAttempts) return placed;
  }
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

Result<void> remove_whole(const std::string& path) {
  std::error_code failed;
  std::filesystem::remove_all(path, failed);
  if (failed) return fail(path_error(failed.value(), "remove", path));
  return {};
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
  alignas(dirent64) std::array<char, 4096> buffer{};
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

void try_remove_temporaries(const std::string& directory) {
  for (const auto& name : list_directory(directory).value_or(std::vector<std::string>{})) {
    struct stat status{};
    const std::string path = directory + "/" + name;
    if (name.starts_with(kTemporaryPrefix) && ::stat(path.c_str(), &status) == 0 &&
        status.st_mtime + kCutOffAfterSeconds < ::time(nullptr))
      (void)remove_whole(path);
  }
}

}  // namespace particle
