// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "overlay-adapters/evpn/frr_config.hpp"
#include "overlay-adapters/evpn/frr_watch.hpp"
#include "overlay-adapters/evpn/prefix_code.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

using namespace overlay::evpn;

std::vector<IpPrefix> nets(std::initializer_list<const char*> texts) {
  std::vector<IpPrefix> out;
  for (const char* text : texts) out.push_back(must(IpPrefix::parse(text)));
  return out;
}

IpAddress ip(const std::string& text) {
  return must(IpAddress::parse(text));
}

FrrConfigSpec spec_of(std::initializer_list<const char*> peers) {
  FrrConfigSpec spec;
  spec.local = ip("192.0.2.1");
  for (const char* peer : peers) spec.peers.push_back(ip(peer));
  return spec;
}

bool has_line(const std::string& text, const std::string& line) {
  return text.find(line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("evpn: prefixes are their first and last addresses, and are read back") {
  for (const auto& prefixes :
       {nets({"10.1.0.0/24"}), nets({"10.1.0.0/24", "10.1.1.0/24", "10.9.0.0/16"}),
        nets({"10.1.0.7/32", "fd00:1::/64"}), nets({"10.1.0.0/31", "10.1.0.2/32"}),
        nets({"0.0.0.0/1", "128.0.0.0/1"}), nets({"fd00::/127", "fd00::2/128", "fd00:1::/48"})}) {
    CHECK(encode_prefixes(prefixes).size() <= 2 * prefixes.size());
    CHECK(decode_prefixes(encode_prefixes(prefixes)) == prefixes);
  }
}

TEST_CASE("evpn: every range of a small subnet is read back as the prefixes it is made of") {
  const IpAddress base = ip("10.1.0.0");
  for (std::uint64_t first = 0; first < 64; ++first) {
    for (std::uint64_t last = first; last < 64; ++last) {
      const IpRange range = must(IpRange::make(must(base.plus(first)), must(base.plus(last))));
      const auto prefixes = range.to_prefixes();
      REQUIRE(decode_prefixes(encode_prefixes(prefixes)) == prefixes);
    }
  }
}

TEST_CASE("evpn: ordinary hosts' addresses stand for themselves") {
  CHECK(decode_prefixes({ip("10.1.0.5")}) == nets({"10.1.0.5/32"}));
  CHECK(decode_prefixes({ip("10.1.0.9"), ip("10.1.0.5"), ip("10.1.0.5")}) ==
        nets({"10.1.0.5/32", "10.1.0.9/32"}));
  CHECK(decode_prefixes({ip("10.1.0.0"), ip("fd00::1")}) == nets({"10.1.0.0/32", "fd00::1/128"}));
  CHECK(decode_prefixes({}).empty());
}

TEST_CASE("evpn: a node's configuration names its peers, a reflector's takes every node") {
  const std::string node = frr_config(spec_of({"192.0.2.2", "192.0.2.3"}));
  CHECK(has_line(node, "router bgp 65000"));
  CHECK(has_line(node, " bgp router-id 192.0.2.1"));
  CHECK(has_line(node, " neighbor 192.0.2.3 remote-as 65000"));
  CHECK(has_line(node, "  neighbor 192.0.2.3 activate"));
  CHECK(has_line(node, "  advertise-all-vni"));
  CHECK(node.find("reflector") == std::string::npos);
  FrrConfigSpec spec = spec_of({});
  spec.reflect = must(IpPrefix::parse("192.0.2.0/24"));
  const std::string reflector = frr_config(spec);
  CHECK(has_line(reflector, " bgp listen range 192.0.2.0/24 peer-group NODES"));
  CHECK(has_line(reflector, "  neighbor NODES route-reflector-client"));
}

TEST_CASE("evpn: a configuration that cannot work is refused") {
  CHECK(check(spec_of({"192.0.2.2"})).empty());
  CHECK_FALSE(check(spec_of({})).empty());
  CHECK_FALSE(check(spec_of({"192.0.2.1"})).empty());
  CHECK_FALSE(check(spec_of({"192.0.2.2", "192.0.2.2"})).empty());
  CHECK_FALSE(check(spec_of({"2001:db8::2"})).empty());
  FrrConfigSpec spec = spec_of({"192.0.2.2"});
  spec.as_number = 0;
  CHECK_FALSE(check(spec).empty());
}

TEST_CASE(
    "evpn: who marks the end of what it tells is believed, and who does not is not asked to") {
  std::vector<BgpNeighbour> all{{"192.0.2.2", "Established", "", {}},
                                {"192.0.2.3", "Established", "", {}},
                                {"192.0.2.4", "Established", "", {}},
                                {"192.0.2.5", "Active", "OK", {}}};
  add_details(R"({"192.0.2.2":{"neighborCapabilities":{"gracefulRestart":"advertisedAndReceived"},)"
              R"("gracefulRestartInfo":{"endOfRibRecv":{"ipv4Unicast":true,"l2VpnEvpn":true}}},)"
              R"("192.0.2.3":{"neighborCapabilities":{"gracefulRestart":"advertisedAndReceived"},)"
              R"("gracefulRestartInfo":{"endOfRibRecv":{"ipv4Unicast":true}}},)"
              R"("192.0.2.4":{"neighborCapabilities":{"gracefulRestart":"advertised"}},)"
              R"("192.0.2.5":{"lastResetDueTo":"Hold Timer Expired"}})",
              all);
  CHECK(all[0].told_all == true);
  CHECK(all[1].told_all == false);
  CHECK_FALSE(all[2].told_all.has_value());
  CHECK(all[3].why == "Hold Timer Expired");
  add_details("% Unknown command", all);
  CHECK(all[0].told_all == true);
}

TEST_CASE("evpn: what FRR says of its neighbours and VNIs is understood, or refused") {
  const auto neighbours = must(parse_summary(
      R"({"routerId":"192.0.2.1","peers":{"192.0.2.2":{"state":"Established","peerState":"OK"},)"
      R"("192.0.2.3":{"state":"Active","peerState":"OK"}},"totalPeers":2})"));
  REQUIRE(neighbours.size() == 2);
  CHECK(neighbours[0].state == "Established");
  CHECK(neighbours[1].name == "192.0.2.3");
  CHECK(must(parse_summary("{}")).empty());
  CHECK_FALSE(parse_summary("% Unknown command"));
  CHECK(must(parse_vnis(R"({"42":{"vni":42,"type":"L2"}})")).contains(must(Vni::from(42))));
  CHECK(must(parse_vnis("{}")).empty());
  CHECK_FALSE(parse_vnis("[]"));
}

}  // namespace particle::test
