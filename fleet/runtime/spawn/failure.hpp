// SPDX-License-Identifier: Apache-2.0
/// particle-spawn's errors: what failed, and errno. Small, because they cross from an instance's
/// process to the spawner in shared memory.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>

namespace particle::fleet::spawn {

struct Failure {
  int error = 0;  ///< errno; 0: none
  std::array<char, 100> what{};

  explicit operator bool() const { return error != 0; }
};

inline Failure failure(int error, const std::string& what) {
  Failure out;
  out.error = error == 0 ? EIO : error;
  what.copy(out.what.data(), out.what.size() - 1);
  return out;
}
inline Failure failure(int error, const std::string& verb, const std::string& object) {
  return failure(error, verb + " " + object);
}
inline Failure last_failure(const std::string& what) {
  return failure(errno, what);
}
inline Failure last_failure(const std::string& verb, const std::string& object) {
  const int error = errno;
  return failure(error, verb + " " + object);
}

}  // namespace particle::fleet::spawn
