// SPDX-License-Identifier: Apache-2.0
#include "worker/memory_file.hpp"

#include <cerrno>
#include <vector>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

namespace particle::sprocket {

Result<UniqueFd> open_memory_file(const char* name) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd.valid()) return fail(Error::from_errno(errno, std::string("memfd_create ") + name));
  return fd;
}

Result<std::uint64_t> size_of(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail(Error::from_errno(errno, "fstat"));
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> write_all(int fd, std::span<const char> bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return fail(Error::from_errno(errno, "write " + what));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> read_at(int fd, std::span<char> bytes, std::uint64_t offset, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::from_errno(errno, "read " + what));
    if (got == 0) return fail(Error::of(Errc::protocol, "read " + what + ": it ends too early"));
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<std::string> read_whole(int fd, const std::string& what) {
  const auto size = size_of(fd);
  if (!size) return fail(size.error());
  std::string text(*size, '\0');
  if (auto ok = read_at(fd, text, 0, what); !ok) return fail(std::move(ok.error()));
  return text;
}

Result<std::uint32_t> checksum(int fd, std::uint64_t offset, std::uint64_t bytes) {
  constexpr std::uint64_t kPiece = 1 << 18;
  std::vector<char> buffer(std::min(bytes, kPiece));
  uLong crc = ::crc32(0, nullptr, 0);
  while (bytes > 0) {
    const std::uint64_t piece = std::min(bytes, kPiece);
    if (auto ok = read_at(fd, {buffer.data(), piece}, offset, "data to be checked"); !ok) {
      return fail(std::move(ok.error()));
    }
    crc = ::crc32(crc, reinterpret_cast<const Bytef*>(buffer.data()), static_cast<uInt>(piece));
    offset += piece;
    bytes -= piece;
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace particle::sprocket
