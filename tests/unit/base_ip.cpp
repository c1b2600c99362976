// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <unordered_set>
#include <utility>

#include <sys/socket.h>

#include <particle/ip.hpp>

using namespace particle;

namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
IpPrefix prefix(std::string_view text) {
  return IpPrefix::parse(text).value();
}
IpRange range(std::string_view text) {
  return IpRange::parse(text).value();
}

std::string joined(const std::vector<IpPrefix>& prefixes) {
  std::string text;
  for (const IpPrefix& one : prefixes) text += (text.empty() ? "" : " ") + one.to_string();
  return text;
}

/// The prefixes cover first..last in order, without a gap, an overlap or a mergeable pair.
void check_exact(const IpRange& wanted) {
  const auto prefixes = wanted.to_prefixes();
  REQUIRE(!prefixes.empty());
  CHECK(prefixes.size() <= 2 * wanted.first().bits() - 2);
  CHECK(prefixes.front().network() == wanted.first());
  CHECK(prefixes.back().last() == wanted.last());
  for (std::size_t i = 1; i < prefixes.size(); ++i) {
    CHECK(prefixes[i - 1].last().plus(1).value() == prefixes[i].network());
    const bool twins = prefixes[i].length() == prefixes[i - 1].length();
    if (twins) {
      const auto parent = IpPrefix::containing(prefixes[i].network(), prefixes[i].length() - 1);
      CHECK(parent.network() != prefixes[i - 1].network());
    }
  }
}

}  // namespace

TEST_CASE("ip: well-formed addresses are read and written in their canonical form") {
  const std::initializer_list<std::pair<const char*, const char*>> rows{
      {"0.0.0.0", "0.0.0.0"},
      {"10.1.0.7", "10.1.0.7"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"FD00::7", "fd00::7"},
      {"fd00:0:0:0:0:0:0:7", "fd00::7"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:0db8::0001", "2001:db8::1"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
  };
  for (const auto& [text, canonical] : rows) {
    CAPTURE(text);
    const auto address = IpAddress::parse(text);
    REQUIRE(address);
    CHECK(address->to_string() == canonical);
    CHECK(IpAddress::from_bytes(address->bytes()).value() == *address);
  }
}

TEST_CASE("ip: malformed addresses are refused as invalid arguments that quote the text") {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "10"sv,
                                      "10.1"sv,
                                      "10.1.0"sv,
                                      "10.1.0.256"sv,
                                      "10.1.0.7."sv,
                                      ".10.1.0.7"sv,
                                      "010.1.0.7"sv,
                                      "10.1.0.07"sv,
                                      "10.1.0.0x7"sv,
                                      " 10.1.0.7"sv,
                                      "10.1.0.7 "sv,
                                      "10.1.0.-7"sv,
                                      "10.1.0.7.1"sv,
                                      "10.1.0.7\0"sv,
                                      "10.1.0.7/24"sv,
                                      "10..0.7"sv,
                                      "a.b.c.d"sv,
                                      ":"sv,
                                      ":::"sv,
                                      "::1::"sv,
                                      "fd00::7%eth0"sv,
                                      "fd00:::7"sv,
                                      "g::1"sv,
                                      "1:2:3:4:5:6:7"sv,
                                      "1:2:3:4:5:6:7:8:9"sv,
                                      "12345::"sv,
                                      "::1 "sv,
                                      "[::1]"sv,
                                      "::ffff:192.0.2.256"sv,
                                      "fd00:0000:0000:0000:0000:0000:0000:0000:0000:0007"sv,
                                      "localhost"sv,
                                      "\xff\xff"sv}) {
    CAPTURE(std::string(text));
    const auto address = IpAddress::parse(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().kind() == Errc::invalid_argument);
    CHECK_FALSE(address.error().hint.empty());
  }
  CHECK(IpAddress::parse("10.1.0.256").error().message() ==
        "IP address '10.1.0.256': invalid argument");
}

TEST_CASE("ip: only 4 or 16 bytes make an address") {
  const std::array<std::byte, 32> bytes{};
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(IpAddress::from_bytes(std::span(bytes).first(size)).has_value() ==
          (size == 4 || size == 16));
  }
}

TEST_CASE("ip: classes of addresses are told apart") {
  CHECK(ip("0.0.0.0").is_unspecified());
  CHECK(ip("::").is_unspecified());
  CHECK_FALSE(ip("::1").is_unspecified());
  CHECK(ip("224.0.0.1").is_multicast());
  CHECK(ip("239.255.255.255").is_multicast());
  CHECK_FALSE(ip("223.255.255.255").is_multicast());
  CHECK_FALSE(ip("240.0.0.0").is_multicast());
  CHECK(ip("ff02::1").is_multicast());
  CHECK(ip("127.1.2.3").is_loopback());
  CHECK_FALSE(ip("128.0.0.1").is_loopback());
  CHECK(ip("::1").is_loopback());
  CHECK_FALSE(ip("::2").is_loopback());
  CHECK(ip("169.254.1.1").is_link_local());
  CHECK(ip("fe80::1").is_link_local());
  CHECK(ip("febf::1").is_link_local());
  CHECK_FALSE(ip("fec0::1").is_link_local());
  CHECK(address_family(Family::v4) == AF_INET);
  CHECK(address_family(Family::v6) == AF_INET6);
}

TEST_CASE("ip: addresses are ordered by family, then as numbers") {
  CHECK(ip("10.0.0.9") < ip("10.0.0.10"));
  CHECK(ip("255.255.255.255") < ip("::"));
  CHECK(ip("fd00::ff") < ip("fd00::100"));
}

TEST_CASE("ip: sums carry over bytes and stop at the end of the family") {
  CHECK(ip("10.0.0.255").plus(1).value() == ip("10.0.1.0"));
  CHECK(ip("0.0.0.0").plus(0xffffffff).value() == ip("255.255.255.255"));
  CHECK_FALSE(ip("0.0.0.1").plus(0xffffffff));
  CHECK_FALSE(ip("255.255.255.255").plus(1));
  CHECK(ip("fd00::ffff:ffff:ffff:ffff").plus(1).value() == ip("fd00:0:0:1::"));
  CHECK(ip("::").plus(kMost).value() == ip("::ffff:ffff:ffff:ffff"));
  CHECK_FALSE(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").plus(1));
  CHECK(ip("10.0.0.1").distance_to(ip("10.0.1.1")) == 256);
  CHECK(ip("::").distance_to(ip("::ffff:ffff:ffff:ffff")) == kMost);
  CHECK(ip("::").distance_to(ip("1::")) == kMost);
}

TEST_CASE("ip: hashes tell neighbours and families apart") {
  std::unordered_set<std::size_t> seen;
  for (std::uint64_t i = 0; i < 4096; ++i) {
    seen.insert(std::hash<IpAddress>{}(ip("10.0.0.0").plus(i).value()));
    seen.insert(std::hash<IpAddress>{}(ip("::a00:0").plus(i).value()));
  }
  CHECK(seen.size() == 8192);
}

TEST_CASE("prefix: well-formed prefixes are read and written") {
  for (const char* text : {"0.0.0.0/0", "10.1.0.0/16", "10.1.0.7/32", "128.0.0.0/1", "::/0",
                           "fd00::/64", "fd00::7/128", "8000::/1"}) {
    CAPTURE(text);
    const auto parsed = IpPrefix::parse(text);
    REQUIRE(parsed);
    CHECK(parsed->to_string() == text);
  }
}

TEST_CASE("prefix: malformed prefixes are refused") {
  for (const char* text : {"",
                           "/",
                           "/24",
                           "10.1.0.0",
                           "10.1.0.0/",
                           "10.1.0.0/33",
                           "10.1.0.0/-1",
                           "10.1.0.0/+8",
                           "10.1.0.0/016",
                           "10.1.0.0/16 ",
                           "10.1.0.0/ 16",
                           "10.1.0.0/16/8",
                           "10.1.0.0/a",
                           "10.1.0.0/4294967312",
                           "10.1.0.0/99999999999999999999999",
                           "fd00::/129",
                           "10.1.0.1/24",
                           "fd00::1/64",
                           "1.0.0.0/0",
                           "10.1.0/24",
                           "10.1.0.0/255.255.0.0"}) {
    CAPTURE(text);
    const auto parsed = IpPrefix::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind() == Errc::invalid_argument);
    CHECK_FALSE(parsed.error().hint.empty());
  }
}

TEST_CASE("prefix: host bits are refused with the network in the hint") {
  const auto parsed = IpPrefix::parse("10.1.0.7/24");
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().hint == "host bits are set; the network is 10.1.0.0/24");
  CHECK_FALSE(IpPrefix::make(ip("10.1.0.0"), 33));
}

TEST_CASE("prefix: containment and overlap follow the length and the family") {
  CHECK(prefix("10.1.0.0/16").contains(ip("10.1.255.255")));
  CHECK_FALSE(prefix("10.1.0.0/16").contains(ip("10.2.0.0")));
  CHECK_FALSE(prefix("0.0.0.0/0").contains(ip("::")));
  CHECK(prefix("::/0").contains(ip("ffff::")));
  CHECK(prefix("10.0.0.0/8").contains(prefix("10.1.0.0/16")));
  CHECK_FALSE(prefix("10.1.0.0/16").contains(prefix("10.0.0.0/8")));
  CHECK(prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")));
  CHECK_FALSE(prefix("10.1.0.0/16").overlaps(prefix("10.2.0.0/16")));
  CHECK(prefix("10.1.0.0/16").last() == ip("10.1.255.255"));
  CHECK(prefix("::/0").last() == ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
  CHECK(IpPrefix::containing(ip("10.1.2.3"), 99) == IpPrefix::host(ip("10.1.2.3")));
  CHECK(IpPrefix::containing(ip("fd00::1:2:3:4"), 64) == prefix("fd00::/64"));
}

TEST_CASE("range: well-formed ranges are read and malformed ones refused") {
  CHECK(range("10.0.0.1-10.0.0.9").size() == 9);
  CHECK(range("10.0.0.1").to_string() == "10.0.0.1");
  CHECK(range("fd00::1-fd00::ff").to_string() == "fd00::1-fd00::ff");
  for (const char* text : {"", "-", "10.0.0.1-", "-10.0.0.1", "10.0.0.2-10.0.0.1", "10.0.0.1-::1",
                           "10.0.0.1 - 10.0.0.2", "10.0.0.1-10.0.0.2-10.0.0.3", "10.0.0.1-9",
                           "10.0.0.0/24", "10.0.0.1,10.0.0.2"}) {
    CAPTURE(text);
    const auto parsed = IpRange::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind() == Errc::invalid_argument);
  }
}

TEST_CASE("range: the hosts of a prefix leave out what no host may have") {
  const std::initializer_list<std::pair<const char*, const char*>> rows{
      {"10.0.0.0/24", "10.0.0.1-10.0.0.254"},
      {"10.0.0.0/30", "10.0.0.1-10.0.0.2"},
      {"10.0.0.0/31", "10.0.0.0-10.0.0.1"},
      {"10.0.0.0/32", "10.0.0.0"},
      {"fd00::/126", "fd00::1-fd00::3"},
      {"fd00::/127", "fd00::-fd00::1"},
      {"fd00::/128", "fd00::"},
  };
  for (const auto& [network, hosts] : rows) {
    CAPTURE(network);
    CHECK(IpRange::hosts_of(prefix(network)).to_string() == hosts);
  }
}

TEST_CASE("range: sizes saturate, parts and members are found") {
  CHECK(IpRange::of(prefix("0.0.0.0/0")).size() == std::uint64_t{1} << 32U);
  CHECK(IpRange::of(prefix("fd00::/64")).size() == kMost);
  CHECK(IpRange::of(prefix("fd00::/65")).size() == std::uint64_t{1} << 63U);
  CHECK(IpRange::of(prefix("::/0")).size() == kMost);
  const IpRange some = range("10.0.0.250-10.0.1.5");
  CHECK(some.at(0) == ip("10.0.0.250"));
  CHECK(some.at(6) == ip("10.0.1.0"));
  CHECK(some.first_n(3).to_string() == "10.0.0.250-10.0.0.252");
  CHECK(some.first_n(0) == some.first_n(1));
  CHECK(some.first_n(1000) == some);
  CHECK(some.contains(ip("10.0.1.5")));
  CHECK_FALSE(some.contains(ip("10.0.1.6")));
  CHECK(some.overlaps(range("10.0.1.5-10.0.1.9")));
  CHECK_FALSE(some.overlaps(range("10.0.1.6-10.0.1.9")));
  CHECK(some.within(prefix("10.0.0.0/23")));
  CHECK_FALSE(some.within(prefix("10.0.0.0/24")));
}

TEST_CASE("range: known ranges become the fewest prefixes") {
  CHECK(joined(range("10.0.0.0-10.0.0.255").to_prefixes()) == "10.0.0.0/24");
  CHECK(joined(range("10.0.0.1-10.0.0.6").to_prefixes()) ==
        "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32");
  CHECK(joined(IpRange::of(prefix("0.0.0.0/0")).to_prefixes()) == "0.0.0.0/0");
  CHECK(joined(IpRange::of(prefix("::/0")).to_prefixes()) == "::/0");
  CHECK(range("0.0.0.1-255.255.255.254").to_prefixes().size() == 62);
  CHECK(range("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe").to_prefixes().size() == 254);
}

TEST_CASE("range: prefixes cover random ranges exactly and cannot be merged") {
  std::mt19937_64 random(20240601);
  const auto draw = [&](const IpAddress& base) {
    return base.plus(random() >> (random() % 60)).value();
  };
  for (int i = 0; i < 500; ++i) {
    const IpAddress low = ip("10.0.0.0").plus(random() % 65536).value();
    check_exact(IpRange::make(low, low.plus(random() % 65536).value()).value());
    IpAddress a = draw(ip("fd00::"));
    IpAddress b = draw(ip("fd00::"));
    if (b < a) std::swap(a, b);
    check_exact(IpRange::make(a, b).value());
  }
}
