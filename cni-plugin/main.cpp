// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "plugin.hpp"

namespace {

using namespace particle::cni;

/// A configuration is a few kilobytes; a chain's results may make it longer.
constexpr std::size_t kMostBytes = 4U << 20U;

bool read_input(std::string& input) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || input.size() + static_cast<std::size_t>(got) > kMostBytes) return false;
    input.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

bool write_output(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  return true;
}

/// This process lives for a millisecond, and one thread of it uses SQLite: no mutexes, no statistics,
/// and no memory set aside for later, whose pages would be zeroed for nothing. A twentieth of an ADD.
void keep_sqlite_small() {
  sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
  sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0);
}

Reply answer() {
  std::string input;
  if (!read_input(input))
    return {1,
            to_text(CniError{Code::io, "cannot read standard input, or it is over 4 MiB", {}},
                    kNewestVersion),
            {}};
  return call(read_environment(), input);
}

}  // namespace

int main() {
  // Exceptions stop here: memory that ran out, or a bug. Even then the runtime gets its JSON.
  try {
    keep_sqlite_small();
    const Reply reply = answer();
    if (std::getenv("PARTICLE_CNI_DEBUG") != nullptr)
      std::fprintf(stderr, "particle-cni: %s\n", reply.note.c_str());
    return write_output(reply.out) ? reply.exit_code : 1;
  } catch (const std::exception& error) {
    write_output(
        to_text(CniError{Code::internal, std::string("internal error: ") + error.what(), {}},
                kNewestVersion));
    return 1;
  }
}
