// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "overlay-adapters/announcement.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

using overlay::Announcement;
using overlay::parse_announcement;
using overlay::parse_announcements;

Announcement sample() {
  return {.node = "a",
          .pool = "job",
          .vni = must(Vni::from(42)),
          .mtu = must(Mtu::from(1450)),
          .peer = {"acme",
                   must(IpAddress::parse("192.0.2.1")),
                   must(Mac::parse("02:5e:10:00:00:01")),
                   {must(IpPrefix::parse("10.1.0.0/24")), must(IpPrefix::parse("fd00:1::/64"))}}};
}

constexpr const char* kOne =
    R"({"tenant":"acme","vni":42,"vtep":"192.0.2.1","mac":"02:5e:10:00:00:01","prefixes":["10.1.0.0/24"]})";

bool mentions(const Error& error, const std::string& text) {
  return error.message().find(text) != std::string::npos ||
         std::any_of(error.details.begin(), error.details.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("announcement: what is written is read back, whole or without what it need not say") {
  const Announcement full = sample();
  CHECK(must(parse_announcement(to_json(full), "it")) == full);
  Announcement terse = sample();
  terse.node.clear();
  terse.pool.clear();
  terse.mtu.reset();
  CHECK(must(parse_announcement(to_json(terse), "it")) == terse);
  CHECK(to_json(terse).find("node") == std::string::npos);
}

TEST_CASE("announcement: a list, an object with peers, and one alone are all read") {
  const std::string one = kOne;
  CHECK(must(parse_announcements("[" + one + "," + one + "]", "f")).size() == 2);
  CHECK(must(parse_announcements(R"({"peers": [)" + one + "]}", "f")).size() == 1);
  CHECK(must(parse_announcements(one, "f")).size() == 1);
  CHECK(must(parse_announcements("[]", "f")).empty());
}

TEST_CASE("announcement: every fault is named, and an unknown field is one") {
  const auto wrong = parse_announcement(
      R"({"tenant":"acme","vni":0,"vtep":"192.0.2","mac":"xx","prefix":["10.1.0.0/24"]})", "it");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().kind() == Errc::invalid_argument);
  for (const char* field : {"vni", "vtep", "mac", "prefixes", "prefix: no such field"})
    CHECK_MESSAGE(mentions(wrong.error(), field), field);
  const auto third = parse_announcements(
      "[" + std::string(kOne) + "," + kOne + R"(,{"tenant":"acme"}])", "peers file p");
  REQUIRE_FALSE(third);
  CHECK(mentions(third.error(), "peers file p"));
  CHECK(mentions(third.error(), "entry 3: vtep: is missing"));
  for (const char* text : {"", "{", "7", "[7]", "null", R"({"peers":7})"})
    CHECK_FALSE(parse_announcements(text, "f"));
}

TEST_CASE("announcement: what cannot be a peer is refused") {
  for (const char* bad : {R"("prefixes":[])", R"("prefixes":["0.0.0.0/0"])",
                          R"("prefixes":["10.1.0.1/24"])", R"("prefixes":[7])"}) {
    const std::string text =
        R"({"tenant":"acme","vni":42,"vtep":"192.0.2.1","mac":"02:5e:10:00:00:01",)" +
        std::string(bad) + "}";
    CHECK_FALSE_MESSAGE(parse_announcement(text, "it"), bad);
  }
  Announcement nameless = sample();
  nameless.node = "a/b";
  CHECK_FALSE(overlay::check(nameless).empty());
  CHECK(overlay::check(sample()).empty());
}

TEST_CASE("announcement: show-pool's output is one, and its name is the pool's") {
  const auto read = parse_announcement(
      R"({"name":"job","tenant":"acme","vni":42,"vtep":"192.0.2.1","mac":"02:5e:10:00:00:01",)"
      R"("prefixes":["10.1.0.0/24"],"mtu":1450,"netns_path":"/run/x","health":"ready"})",
      "it");
  REQUIRE(read);
  CHECK(read->pool == "job");
  CHECK(read->mtu->value() == 1450);
}

}  // namespace particle::test
