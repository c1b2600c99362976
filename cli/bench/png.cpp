// SPDX-License-Identifier: Apache-2.0
#include "bench/png.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "harness/result_file.hpp"

namespace particle::cli {
namespace {

/// A file without a name.
UniqueFd memory(const char* name) {
  return UniqueFd(::memfd_create(name, MFD_CLOEXEC));
}

Result<std::string> read_whole(int fd) {
  std::string text(static_cast<std::size_t>(std::max<off_t>(::lseek(fd, 0, SEEK_END), 0)), '\0');
  if (::pread(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return fail(Error::from_errno(errno, "read the picture"));
  }
  return text;
}

/// The exit status of rsvg-convert. Twice the size, for screens and for print.
Result<int> convert(int svg, int png) {
  std::array<const char*, 6> words{"rsvg-convert", "--zoom", "2", "--format", "png", nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, svg, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, png, STDOUT_FILENO);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, words.front(), &actions, nullptr,
                                   const_cast<char* const*>(words.data()), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) {
    return fail(
        Error::of(Errc::not_found, "there is no rsvg-convert",
                  "apt install librsvg2-bin, or leave out --png: the page has every chart"));
  }
  if (error != 0) return fail(Error::from_errno(error, "start rsvg-convert"));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail(Error::from_errno(errno, "wait for rsvg-convert"));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

Result<void> write_png(const std::string& svg, const std::string& path) {
  const auto file = bench::ResultFile::open(path);
  if (!file) return fail(file.error());
  const UniqueFd input = memory("chart.svg");
  const UniqueFd output = memory("chart.png");
  if (!input.valid() || !output.valid() ||
      ::pwrite(input.get(), svg.data(), svg.size(), 0) != static_cast<ssize_t>(svg.size())) {
    return fail(Error::from_errno(errno, "hold a picture in memory"));
  }
  const auto status = convert(input.get(), output.get());
  if (!status) return fail(status.error());
  if (*status != 0) {
    return fail(
        Error::of(Errc::kernel, "rsvg-convert ended with status " + std::to_string(*status)));
  }
  const auto png = read_whole(output.get());
  if (!png) return fail(png.error());
  return file->save(*png);
}

}  // namespace particle::cli
