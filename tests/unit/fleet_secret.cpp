// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/refusal_log.hpp"
#include "support/netns_fixture.hpp"
#include "wire/secret.hpp"

namespace {

using namespace particle;
using namespace particle::fleet;
using namespace std::chrono_literals;

const std::string kHex = "0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdeffedcba9876543210";

std::string as_text(const Secret& secret) {
  return {secret.bytes().begin(), secret.bytes().end()};
}

std::string write_file(const test::TempRunDir& dir, const std::string& content, mode_t mode) {
  std::string path = dir.file("secret");
  std::ofstream(path, std::ios::binary) << content;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path;
}

}  // namespace

TEST_CASE("fleet secret: what has 32 random bytes in it is taken, the rest is refused") {
  CHECK(*find_secret(kHex + "\n") == kHex);
  CHECK(*find_secret(kHex + " \r\n\n") == kHex);
  CHECK(find_secret("Zm9yIGEgdGVzdCBvbmx5LCBub3QgcmFuZG9tIGF0IGFsbA"));
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(i * 37);
  CHECK(*find_secret(bytes) == bytes);
  bytes.back() = '\n';  // of bytes that are no text, all count
  CHECK(find_secret(bytes)->size() == 32);
  CHECK(find_secret("correct horse battery staple, with a tail 12345"));

  const std::string wrong[] = {"",
                               "\n",
                               "hunter2",
                               kHex.substr(1),                             // 63 digits
                               "Zm9yIGEgdGVzdCBvbmx5LCBub3QgcmFuZG9tIGF",  // 39 characters
                               bytes.substr(1),
                               std::string(64, 'a'),
                               std::string(4096, '\0'),
                               kHex + std::string(4096, 'x')};
  for (const std::string& one : wrong) {
    CAPTURE(one.size());
    const auto found = find_secret(one);
    REQUIRE_FALSE(found);
    CHECK(found.error().kind() == Errc::invalid_argument);
    CHECK(found.error().hint.find("openssl rand -hex 32") != std::string::npos);
  }
}

TEST_CASE("fleet secret: a file is read when it is this user's and nobody else may read it") {
  const test::TempRunDir dir;
  for (const mode_t mode : {0600U, 0400U}) {
    CHECK(as_text(*read_secret(write_file(dir, kHex + "\n", mode))) == kHex);
    ::unlink(dir.file("secret").c_str());
  }
  for (const mode_t mode : {0640U, 0604U, 0620U, 0666U, 0601U}) {
    const auto read = read_secret(write_file(dir, kHex, mode));
    CAPTURE(mode);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind() == Errc::invalid_argument);
    CHECK(read.error().message().find("may be read by others") != std::string::npos);
    CHECK(read.error().hint.find("chmod 600") != std::string::npos);
  }
}

TEST_CASE("fleet secret: what is no file of this user is refused with what it is") {
  const test::TempRunDir dir;
  CHECK(read_secret(dir.file("missing")).error().kind() == Errc::not_found);
  CHECK(read_secret(dir.path()).error().message().find("is no file") != std::string::npos);
  REQUIRE(::mkfifo(dir.file("fifo").c_str(), 0600) == 0);
  CHECK(read_secret(dir.file("fifo")).error().message().find("is no file") != std::string::npos);
  const auto weak = read_secret(write_file(dir, "hunter2", 0600));
  CHECK(weak.error().message().find(dir.file("secret") + ": the secret is too short") !=
        std::string::npos);
  if (::geteuid() != 0) return;
  REQUIRE(::chown(dir.file("secret").c_str(), 65534, 65534) == 0);
  const auto theirs = read_secret(dir.file("secret"));
  CHECK(theirs.error().message().find("belongs to another user") != std::string::npos);
}

TEST_CASE("fleet refusals: an address is logged once a minute, and what was left out is counted") {
  RefusalLog log;
  const auto a = *IpAddress::parse("192.0.2.9");
  const auto b = *IpAddress::parse("2001:db8::9");
  const RefusalLog::Time start{};
  CHECK(log.take(a, "garbage", start) == "a connection from 192.0.2.9 was refused: garbage");
  CHECK(log.take(b, "garbage", start) == "a connection from 2001:db8::9 was refused: garbage");
  CHECK_FALSE(log.take(a, "garbage", start + 1s));
  CHECK_FALSE(log.take(a, "garbage", start + 59s));
  CHECK(log.take(a, "garbage", start + 60s) ==
        "a connection from 192.0.2.9 was refused: garbage (and 2 more before)");
  CHECK(log.take(a, "silence", start + 61s) == "a connection from 192.0.2.9 was refused: silence");
}

TEST_CASE("fleet refusals: many addresses take bounded memory, and the oldest are forgotten") {
  RefusalLog log;
  const auto first = *IpAddress::parse("10.0.0.0");
  const RefusalLog::Time start{};
  for (std::uint64_t i = 0; i < 3 * RefusalLog::kMost; ++i) {
    CHECK(log.take(*first.plus(i), "garbage", start + std::chrono::milliseconds(i)));
  }
  // The latest are known, the first are not.
  CHECK_FALSE(log.take(*first.plus(3 * RefusalLog::kMost - 1), "garbage", start + 10s));
  CHECK(log.take(first, "garbage", start + 10s));
}
