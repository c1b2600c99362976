// SPDX-License-Identifier: Apache-2.0
/// The secret that the agents of a fleet share, and by which they know each other.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle::fleet {

/// Wiped when it goes.
class Secret {
 public:
  explicit Secret(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(Secret&&) = delete;
  ~Secret();
  [[nodiscard]] std::span<const unsigned char> bytes() const noexcept { return bytes_; }

 private:
  std::vector<unsigned char> bytes_;
};

/// What of a file's content is the secret: text without the white space at its end, other bytes as they
/// are. Errors: invalid_argument for what is too short or too uniform to be random: under 32 bytes, 64
/// hexadecimal digits or 43 other characters. Pure.
Result<std::string_view> find_secret(std::string_view content);

/// Errors: errno of open(2) and read(2); invalid_argument when others may read the file or it is another
/// user's, when it is no file, and what find_secret says.
Result<Secret> read_secret(const std::string& path);

}  // namespace particle::fleet
