// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <memory>
#include <string_view>

#include <particle/unique_fd.hpp>

namespace particle::cni {
namespace {

constexpr time_t kCutOffAfterSeconds = 60;

std::string parent_of(const std::string& path) {
  return path.substr(0, path.find_last_of('/'));
}

/// Unique among the threads of all processes of a PID namespace, and opened with O_EXCL besides.
std::string temporary_beside(const std::string& path) {
  static std::atomic<unsigned> serial{0};
  return parent_of(path) + "/" + kTemporaryPrefix + std::to_string(::getpid()) + "-" +
         std::to_string(++serial);
}

Result<void> make_directories(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  const int error = errno;
  if (error != ENOENT || path.size() <= 1)
    return fail(Error::from_errno(error, "make directory " + path));
  if (auto made = make_directories(parent_of(path)); !made) return made;
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return fail(Error::from_errno(errno, "make directory " + path));
}

/// Another process may remove the directory, found empty, before the file is in it: once more then.
Result<UniqueFd> create_temporary(const std::string& path, std::string& temporary) {
  constexpr int kAttempts = 100;
  int error = 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    temporary = temporary_beside(path);
    UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (fd.get() >= 0) return fd;
    error = errno;
    if (error == EEXIST) continue;
    if (error != ENOENT) break;
    if (auto made = make_directories(parent_of(path)); !made) return fail(std::move(made.error()));
  }
  return fail(Error::from_errno(error, "create " + temporary));
}

}  // namespace

Result<std::string> read_all(int fd, const std::string& name, std::size_t most) {
  std::string content;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) return content;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::from_errno(errno, "read " + name));
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > most)
      return fail(Error::of(Errc::corrupt_state, name + " is larger than it can be"));
  }
}

Result<void> write_all(int fd, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(Error::from_errno(errno, "write " + name));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::optional<std::string>> read_text(const std::string& path, std::size_t most) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>{};
    return fail(Error::from_errno(errno, "open " + path));
  }
  auto content = read_all(fd.get(), path, most);
  if (!content) return fail(std::move(content.error()));
  return std::optional<std::string>(*std::move(content));
}

Result<void> replace_text(const std::string& path, const std::string& content) {
  std::string temporary;
  auto fd = create_temporary(path, temporary);
  if (!fd) return fail(std::move(fd.error()));
  auto written = write_all(fd->get(), content, path);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = fail(Error::from_errno(errno, "rename " + temporary + " to " + path));
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<void> remove_text(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return fail(Error::from_errno(errno, "remove " + path));
}

Result<std::vector<std::string>> entries_of(const std::string& path) {
  std::vector<std::string> names;
  const auto close = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory(::opendir(path.c_str()), close);
  if (!directory) {
    if (errno == ENOENT || errno == ENOTDIR) return names;
    return fail(Error::from_errno(errno, "list " + path));
  }
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void try_remove_temporaries(const std::string& directory) {
  for (const auto& name : entries_of(directory).value_or(std::vector<std::string>{})) {
    struct stat status{};
    const std::string path = directory + "/" + name;
    if (name.starts_with(kTemporaryPrefix) && ::stat(path.c_str(), &status) == 0 &&
        status.st_mtime + kCutOffAfterSeconds < ::time(nullptr))
      ::unlink(path.c_str());
  }
}

}  // namespace particle::cni
