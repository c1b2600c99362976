// SPDX-License-Identifier: Apache-2.0
#include "wire/secret.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::fleet {
namespace {

constexpr std::size_t kLongestSecret = 4096;
constexpr std::size_t kLeastBytes = 32;
constexpr std::size_t kLeastHexDigits = 64;
constexpr std::size_t kLeastCharacters = 43;  // base64 of 32 bytes without its padding
/// 64 random hexadecimal digits have fewer different ones once in 10^9 times.
constexpr std::size_t kLeastDifferent = 8;
constexpr const char* kHowToMake = "`(umask 077; openssl rand -hex 32 > FILE)` makes one";

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool is_readable(char c) {
  return std::isprint(static_cast<unsigned char>(c)) != 0 || is_space(c);
}
bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

std::string_view without_end(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Who may read a secret is whose it is. `what` names the file.
Result<void> check_access(const struct stat& info, const std::string& what) {
  const auto wrong = [&](const char* problem, const std::string& hint) {
    return fail(Error::of(Errc::invalid_argument, what + " " + problem, hint));
  };
  if (!S_ISREG(info.st_mode)) return wrong("is no file", kHowToMake);
  if (info.st_uid != ::geteuid()) {
    return wrong("belongs to another user", "whoever may change it may run programs here: `chown " +
                                                std::to_string(::geteuid()) +
                                                "` it, and make a new one if others have seen it");
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return wrong("may be read by others",
                 "`chmod 600` it, and make a new one if others have seen it");
  }
  return {};
}

/// Reads at most one byte more than a secret has.
Result<std::size_t> read_bytes(int fd, std::span<char> into, const std::string& what) {
  std::size_t size = 0;
  while (size < into.size()) {
    const ssize_t n = ::read(fd, into.data() + size, into.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Error::from_errno(errno, "read " + what));
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  return size;
}

}  // namespace

Secret::~Secret() {
  if (!bytes_.empty()) ::explicit_bzero(bytes_.data(), bytes_.size());
}

Result<std::string_view> find_secret(std::string_view content) {
  const auto weak = [](const std::string& problem) {
    return fail(Error::of(Errc::invalid_argument, "the secret " + problem, kHowToMake));
  };
  const std::string_view text = without_end(content);
  const bool is_text = std::all_of(text.begin(), text.end(), is_readable);
  const std::string_view secret = is_text ? text : content;
  const bool hex = is_text && std::all_of(text.begin(), text.end(), is_hex);
  const std::size_t least = hex ? kLeastHexDigits : is_text ? kLeastCharacters : kLeastBytes;
  if (secret.size() < least) {
    return weak(
        "is too short: 32 random bytes are needed, or as text 64 hexadecimal digits or 43 "
        "other characters");
  }
  if (secret.size() > kLongestSecret) return weak("is longer than 4096 bytes");
  if (std::set<char>(secret.begin(), secret.end()).size() < kLeastDifferent) {
    return weak("is not random: it has only a few different characters");
  }
  return secret;
}

Result<Secret> read_secret(const std::string& path) {
  const std::string what = "secret file " + path;
  // O_NONBLOCK: a FIFO is told from a file without waiting for a writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) return fail(Error::from_errno(errno, "open " + what, kHowToMake));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail(Error::from_errno(errno, "stat " + what));
  if (auto ok = check_access(info, what); !ok) return fail(std::move(ok.error()));
  std::array<char, kLongestSecret + 1> buffer{};
  const auto size = read_bytes(fd.get(), buffer, what);
  if (!size) return fail(size.error());
  const auto secret = find_secret({buffer.data(), *size});
  Result<Secret> out = secret ? Result<Secret>(Secret(*secret)) : fail(secret.error());
  if (!out) out.error().operation = what + ": " + out.error().operation;
  ::explicit_bzero(buffer.data(), buffer.size());
  return out;
}

}  // namespace particle::fleet
