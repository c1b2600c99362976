// SPDX-License-Identifier: Apache-2.0
#include "harness/result_file.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace particle::bench {
namespace {

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(Error::from_errno(errno, "write " + path));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<ResultFile> ResultFile::open(const std::string& path) {
  const std::filesystem::path whole(path);
  const std::string name = whole.filename();
  if (name.empty() || name == "." || name == ".." || std::filesystem::is_directory(whole)) {
    return fail(Error::of(Errc::invalid_argument, "write " + path, "give the name of a file"));
  }
  const std::string parent = whole.has_parent_path() ? whole.parent_path().string() : ".";
  UniqueFd directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) {
    return fail(Error::from_errno(errno, "open the directory " + parent, "make it first"));
  }
  if (::faccessat(directory.get(), ".", W_OK, AT_EACCESS) != 0) {
    return fail(Error::from_errno(errno, "write into the directory " + parent));
  }
  return ResultFile(path, name, std::move(directory));
}

Result<void> ResultFile::save(std::string_view text) const {
  const std::string beside = "." + name_ + "." + std::to_string(::getpid());
  const UniqueFd file(::openat(directory_.get(), beside.c_str(),
                               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file.valid()) return fail(Error::from_errno(errno, "write " + path_));
  auto done = write_all(file.get(), text, path_);
  if (done && ::renameat(directory_.get(), beside.c_str(), directory_.get(), name_.c_str()) != 0) {
    done = fail(Error::from_errno(errno, "write " + path_));
  }
  if (!done) ::unlinkat(directory_.get(), beside.c_str(), 0);
  return done;
}

}  // namespace particle::bench
