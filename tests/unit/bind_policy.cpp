// SPDX-License-Identifier: Apache-2.0
// The bind enforcer's policy, row by row as docs/bind-enforcement.md has it.
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <arpa/inet.h>

#include "policy/policy.h"

namespace {

using Words = std::array<unsigned, 4>;

unsigned v4(const std::string& text) {
  unsigned out = 0;
  REQUIRE(::inet_pton(AF_INET, text.c_str(), &out) == 1);
  return out;
}

Words v6(const std::string& text) {
  Words out{};
  REQUIRE(::inet_pton(AF_INET6, text.c_str(), out.data()) == 1);
  return out;
}

pb_endpoint endpoint(unsigned mode = PB_REWRITE) {
  pb_endpoint out = {};
  out.v4 = v4("10.1.0.7");
  out.alias4 = v4("127.0.0.8");
  const Words own = v6("fd00::7");
  std::memcpy(out.v6, own.data(), sizeof(out.v6));
  out.mode = mode;
  return out;
}
pb_endpoint without_v6() {
  pb_endpoint out = endpoint();
  std::memset(out.v6, 0, sizeof(out.v6));
  return out;
}
pb_endpoint without_v4() {
  pb_endpoint out = endpoint();
  out.v4 = 0;
  return out;
}

std::string show(const pb_verdict& verdict, bool is_v6) {
  if (verdict.action == PB_PASS) return "as it is";
  if (verdict.action == PB_REFUSE)
    return std::string("refused: ") + ::strerrorname_np(static_cast<int>(verdict.error));
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, verdict.address, text.data(), text.size());
  return text.data();
}

std::string bind4(const pb_endpoint& who, const std::string& to) {
  pb_verdict verdict = {};
  pb_bind4(&who, v4(to), &verdict);
  return show(verdict, false);
}
std::string bind6(const pb_endpoint& who, const std::string& to, bool v6only = false) {
  pb_verdict verdict = {};
  pb_bind6(&who, v6(to).data(), v6only ? 1 : 0, &verdict);
  return show(verdict, true);
}
std::string to4(const pb_endpoint& who, const std::string& to) {
  pb_verdict verdict = {};
  pb_to4(&who, v4(to), &verdict);
  return show(verdict, false);
}
std::string to6(const pb_endpoint& who, const std::string& to) {
  pb_verdict verdict = {};
  pb_to6(&who, v6(to).data(), &verdict);
  return show(verdict, true);
}
std::string source4(const pb_endpoint& who, const std::string& bound) {
  pb_verdict verdict = {};
  pb_source4(&who, v4(bound), &verdict);
  return show(verdict, false);
}
std::string source6(const pb_endpoint& who, const std::string& bound) {
  pb_verdict verdict = {};
  pb_source6(&who, v6(bound).data(), &verdict);
  return show(verdict, true);
}
std::string create(const pb_endpoint& who, unsigned family, unsigned type, unsigned protocol) {
  pb_verdict verdict = {};
  pb_create(&who, family, type, protocol, &verdict);
  return show(verdict, false);
}

}  // namespace

TEST_CASE("bind policy: any IPv4 address becomes the endpoint's") {
  CHECK(bind4(endpoint(), "0.0.0.0") == "10.1.0.7");
  CHECK(bind4(without_v4(), "0.0.0.0") == "refused: EADDRNOTAVAIL");
}

TEST_CASE("bind policy: any address of both families becomes IPv4's, where there is one") {
  CHECK(bind6(endpoint(), "::") == "::ffff:10.1.0.7");
  CHECK(bind6(without_v4(), "::") == "fd00::7");
  CHECK(bind6(without_v6(), "::") == "::ffff:10.1.0.7");
}

TEST_CASE("bind policy: any IPv6 address of an IPV6_V6ONLY socket becomes the endpoint's IPv6") {
  CHECK(bind6(endpoint(), "::", true) == "fd00::7");
  CHECK(bind6(without_v6(), "::", true) == "refused: EADDRNOTAVAIL");
}

TEST_CASE("bind policy: the endpoint's own address stays") {
  CHECK(bind4(endpoint(), "10.1.0.7") == "as it is");
  CHECK(bind6(endpoint(), "fd00::7") == "as it is");
  CHECK(bind6(endpoint(), "::ffff:10.1.0.7") == "as it is");
}

TEST_CASE("bind policy: a sibling's or a foreign address is not available") {
  CHECK(bind4(endpoint(), "10.1.0.8") == "refused: EADDRNOTAVAIL");
  CHECK(bind4(endpoint(), "192.0.2.1") == "refused: EADDRNOTAVAIL");
  CHECK(bind6(endpoint(), "fd00::8") == "refused: EADDRNOTAVAIL");
  CHECK(bind6(endpoint(), "fe80::1") == "refused: EADDRNOTAVAIL");
  CHECK(bind6(endpoint(), "::ffff:10.1.0.8") == "refused: EADDRNOTAVAIL");
  // An endpoint without IPv6 has the zero words; they are not an address of its own.
  CHECK(bind6(without_v6(), "fd00::7") == "refused: EADDRNOTAVAIL");
}

TEST_CASE("bind policy: loopback becomes the endpoint's alias, a sibling's alias included") {
  CHECK(bind4(endpoint(), "127.0.0.1") == "127.0.0.8");
  CHECK(bind4(endpoint(), "127.0.0.9") == "127.0.0.8");
  CHECK(bind4(endpoint(), "127.0.0.8") == "as it is");
  CHECK(bind6(endpoint(), "::1") == "::ffff:127.0.0.8");
  CHECK(bind6(endpoint(), "::ffff:127.0.0.1") == "::ffff:127.0.0.8");
}

TEST_CASE("bind policy: IPv6 loopback lives on the IPv4 alias, so an IPV6_V6ONLY socket has none") {
  CHECK(bind6(endpoint(), "::1", true) == "refused: EADDRNOTAVAIL");
}

TEST_CASE("bind policy: an endpoint beyond the loopback network has no loopback") {
  pb_endpoint far = endpoint();
  far.alias4 = 0;
  CHECK(bind4(far, "127.0.0.1") == "refused: EADDRNOTAVAIL");
  CHECK(bind6(far, "::1") == "refused: EADDRNOTAVAIL");
  CHECK(to4(far, "127.0.0.1") == "refused: ENETUNREACH");
}

TEST_CASE("bind policy: multicast and broadcast addresses need to be allowed") {
  pb_endpoint who = endpoint();
  CHECK(bind4(who, "224.0.0.251") == "refused: EADDRNOTAVAIL");
  CHECK(bind4(who, "255.255.255.255") == "refused: EADDRNOTAVAIL");
  CHECK(bind6(who, "ff02::fb") == "refused: EADDRNOTAVAIL");
  pb_map(who.allowed[0].address, v4("224.0.0.0"));
  who.allowed[0].length = 96 + 24;
  const Words group = v6("ff02::fb");
  std::memcpy(who.allowed[3].address, group.data(), sizeof(who.allowed[3].address));
  who.allowed[3].length = 128;
  CHECK(bind4(who, "224.0.0.251") == "as it is");
  CHECK(bind4(who, "224.0.1.1") == "refused: EADDRNOTAVAIL");
  CHECK(bind6(who, "::ffff:224.0.0.251") == "as it is");
  CHECK(bind6(who, "ff02::fb") == "as it is");
  CHECK(bind6(who, "ff02::fc") == "refused: EADDRNOTAVAIL");
}

TEST_CASE("bind policy: connecting to loopback or to any address reaches the endpoint's alias") {
  CHECK(to4(endpoint(), "127.0.0.1") == "127.0.0.8");
  CHECK(to4(endpoint(), "127.0.0.9") == "127.0.0.8");
  CHECK(to4(endpoint(), "0.0.0.0") == "127.0.0.8");
  CHECK(to6(endpoint(), "::1") == "::ffff:127.0.0.8");
  CHECK(to6(endpoint(), "::") == "::ffff:127.0.0.8");
  CHECK(to6(endpoint(), "::ffff:127.0.0.1") == "::ffff:127.0.0.8");
}

TEST_CASE("bind policy: other destinations, siblings included, stay") {
  CHECK(to4(endpoint(), "10.1.0.8") == "as it is");
  CHECK(to4(endpoint(), "224.0.0.251") == "as it is");
  CHECK(to6(endpoint(), "fd00::8") == "as it is");
  CHECK(to6(endpoint(), "::ffff:10.1.0.8") == "as it is");
}

TEST_CASE("bind policy: what an unbound socket sends comes from the endpoint") {
  CHECK(source4(endpoint(), "0.0.0.0") == "10.1.0.7");
  CHECK(source6(endpoint(), "::") == "fd00::7");
  CHECK(source4(endpoint(), "10.1.0.7") == "as it is");
  CHECK(source6(endpoint(), "fd00::7") == "as it is");
  CHECK(source4(without_v4(), "0.0.0.0") == "refused: ENETUNREACH");
  CHECK(source6(without_v6(), "::") == "refused: ENETUNREACH");
}

TEST_CASE("bind policy: a socket bound to a foreign address sends nothing") {
  CHECK(source4(endpoint(), "10.1.0.8") == "refused: EADDRNOTAVAIL");
  CHECK(source6(endpoint(), "fd00::8") == "refused: EADDRNOTAVAIL");
}

TEST_CASE("bind policy: raw, ping and packet sockets are refused unless allowed") {
  for (const auto& [family, type, protocol] :
       {std::array{2U, 3U, 1U}, {10U, 3U, 58U}, {2U, 2U, 1U}, {10U, 2U, 58U}, {17U, 3U, 3U}}) {
    CHECK(create(endpoint(), family, type, protocol) == "refused: EPERM");
    pb_endpoint trusted = endpoint();
    trusted.flags = PB_ALLOW_RAW;
    CHECK(create(trusted, family, type, protocol) == "as it is");
  }
  CHECK(create(endpoint(), 2, 1, 6) == "as it is");
  CHECK(create(endpoint(), 10, 2, 17) == "as it is");
  CHECK(create(endpoint(), 1, 3, 0) == "as it is");  // AF_UNIX
}

TEST_CASE("bind policy: strict refuses what rewrite would change, and nothing else") {
  const pb_endpoint who = endpoint(PB_STRICT);
  CHECK(bind4(who, "0.0.0.0") == "refused: EADDRNOTAVAIL");
  CHECK(bind4(who, "127.0.0.1") == "refused: EADDRNOTAVAIL");
  CHECK(bind6(who, "::") == "refused: EADDRNOTAVAIL");
  CHECK(to4(who, "127.0.0.1") == "refused: EADDRNOTAVAIL");
  CHECK(source4(who, "0.0.0.0") == "refused: EADDRNOTAVAIL");
  CHECK(bind4(who, "10.1.0.7") == "as it is");
  CHECK(source4(who, "10.1.0.7") == "as it is");
  CHECK(bind4(who, "10.1.0.8") == "refused: EADDRNOTAVAIL");
}

TEST_CASE("bind policy: audit lets everything through and keeps the row") {
  const pb_endpoint who = endpoint(PB_AUDIT);
  CHECK(bind4(who, "0.0.0.0") == "as it is");
  CHECK(bind4(who, "10.1.0.8") == "as it is");
  CHECK(to4(who, "127.0.0.1") == "as it is");
  CHECK(source4(who, "10.1.0.8") == "as it is");
  CHECK(create(who, 2, 3, 1) == "as it is");
  pb_verdict verdict = {};
  pb_bind4(&who, v4("10.1.0.8"), &verdict);
  CHECK(verdict.row == PB_ROW_BIND_OTHER);
  CHECK_FALSE(pb_shows_loopback4(&who, who.alias4));
}

TEST_CASE("bind policy: an endpoint sees its alias as loopback, and no other") {
  const pb_endpoint who = endpoint();
  CHECK(pb_shows_loopback4(&who, v4("127.0.0.8")));
  CHECK_FALSE(pb_shows_loopback4(&who, v4("127.0.0.9")));
  CHECK_FALSE(pb_shows_loopback4(&who, v4("10.1.0.7")));
  CHECK(pb_shows_loopback6(&who, v6("::ffff:127.0.0.8").data()));
  CHECK_FALSE(pb_shows_loopback6(&who, v6("::1").data()));
}

TEST_CASE("bind policy: every endpoint of the largest pool has an alias of its own, or none") {
  CHECK(pb_alias4(0) == v4("127.0.0.2"));
  CHECK(pb_alias4(253) == v4("127.0.0.255"));
  CHECK(pb_alias4(254) == v4("127.0.1.0"));
  CHECK(pb_alias4(0xfffffc) == v4("127.255.255.254"));
  CHECK(pb_alias4(0xfffffd) == 0);
  CHECK(pb_alias4(1ULL << 32U) == 0);
}
