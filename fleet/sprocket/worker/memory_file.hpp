// SPDX-License-Identifier: Apache-2.0
/// Files in memory: what a worker pulls and what it serves never touches a disk, and ffmpeg reads and
/// writes them as its own descriptors.
#pragma once

#include <cstdint>
#include <span>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::sprocket {

/// Errors: exhausted.
Result<UniqueFd> open_memory_file(const char* name);
Result<std::uint64_t> size_of(int fd);
/// Errors: exhausted (no memory, disk full), io.
Result<void> write_all(int fd, std::span<const char> bytes, const std::string& what);
/// Errors: io; protocol when the file ends early.
Result<void> read_at(int fd, std::span<char> bytes, std::uint64_t offset, const std::string& what);
/// The whole file. Errors: io.
Result<std::string> read_whole(int fd, const std::string& what);
/// zlib's CRC-32 of a part of a file.
Result<std::uint32_t> checksum(int fd, std::uint64_t offset, std::uint64_t bytes);

}  // namespace particle::sprocket
