// SPDX-License-Identifier: Apache-2.0
// From what an adapter knows to what is to be entered: pure.
#include <doctest/doctest.h>

#include "overlay-adapters/reconcile.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

using overlay::Announcement;
using overlay::compare;
using overlay::Difference;
using overlay::PeerView;

IpPrefix net(const std::string& text) {
  return must(IpPrefix::parse(text));
}

PoolInfo pool(const std::string& tenant = "acme", const char* prefix = "10.1.0.0/24") {
  PoolInfo info;
  info.name = tenant + "-pool";
  info.tenant = tenant;
  info.vni = must(Vni::from(42));
  info.routes = {net(prefix)};
  info.mac = Mac::derive("own " + tenant);
  info.mtu = must(Mtu::from(1450));
  info.vxlan = "vx42";
  info.vtep = must(IpAddress::parse("192.0.2.1"));
  return info;
}

Announcement said(unsigned number, const char* vtep = "192.0.2.2") {
  const std::string n = std::to_string(number);
  return {
      .node = "n" + n,
      .pool = "p",
      .vni = must(Vni::from(42)),
      .mtu = {},
      .peer = {"acme", must(IpAddress::parse(vtep)), Mac::derive(n), {net("10.2." + n + ".0/24")}}};
}

PeerInfo entered(const Announcement& announcement, const std::string& owner,
                 bool programmed = true) {
  PeerInfo info{announcement.peer, programmed, {}};
  info.peer.owner = owner;
  return info;
}

PeerView all(std::vector<Announcement> announcements, bool complete = true) {
  return {std::move(announcements), complete};
}

std::string only_refusal(const Difference& difference) {
  REQUIRE(difference.refused.size() == 1);
  return difference.refused.front().reason;
}

}  // namespace

TEST_CASE("compare: adds what is new, removes what is gone, leaves the rest") {
  const auto difference =
      compare(all({said(1), said(2)}), {pool()},
              {entered(said(2), "o"), entered(said(3), "o"), entered(said(4), "")}, "o");
  REQUIRE(difference.tenants.size() == 1);
  const auto& acme = difference.tenants.front();
  REQUIRE(acme.added.size() == 1);
  CHECK(acme.added.front().mac == said(1).peer.mac);
  CHECK(acme.added.front().owner == "o");
  REQUIRE(acme.removed.size() == 1);
  CHECK(acme.removed.front().mac == said(3).peer.mac);
  CHECK(acme.wanted.size() == 2);
  CHECK(difference.refused.empty());
}

TEST_CASE("compare: in step there is nothing to do, and what the kernel lost is restored") {
  CHECK(compare(all({said(1)}), {pool()}, {entered(said(1), "o")}, "o").tenants.empty());
  const auto hurt = compare(all({said(1)}), {pool()}, {entered(said(1), "o", false)}, "o");
  REQUIRE(hurt.tenants.size() == 1);
  CHECK(hurt.tenants.front().damaged.size() == 1);
  CHECK(hurt.tenants.front().added.empty());
}

TEST_CASE("compare: an incomplete view removes nothing, but gives way to what is new") {
  const auto kept = compare(all({}, false), {pool()}, {entered(said(1), "o")}, "o");
  CHECK(kept.tenants.empty());
  CHECK(kept.peers.at("acme") == 1);
  Announcement elsewhere = said(1, "192.0.2.3");
  const auto moved = compare(all({elsewhere}, false), {pool()}, {entered(said(1), "o")}, "o");
  REQUIRE(moved.tenants.size() == 1);
  CHECK(moved.tenants.front().removed.size() == 1);
  CHECK(moved.tenants.front().added.size() == 1);
  CHECK(moved.peers.at("acme") == 1);
}

TEST_CASE("compare: of two that claim the same addresses the earlier one is kept") {
  Announcement thief = said(2);
  thief.peer.prefixes = {net("10.2.1.128/25")};
  CHECK(only_refusal(compare(all({said(1), thief}), {pool()}, {}, "o")).find("10.2.1.0/24") !=
        std::string::npos);
  Announcement wide = said(2);
  wide.peer.prefixes = {net("10.2.0.0/16")};
  CHECK(only_refusal(compare(all({said(1), wide}), {pool()}, {}, "o")).find("10.2.1.0/24") !=
        std::string::npos);
  Announcement twin = said(2);
  twin.peer.mac = said(1).peer.mac;
  CHECK(only_refusal(compare(all({said(1), twin}), {pool()}, {}, "o")).find("MAC") !=
        std::string::npos);
}

TEST_CASE("compare: what contradicts this node is refused, with the reason") {
  const auto reason = [](const Announcement& announcement) {
    return only_refusal(compare(all({announcement}), {pool()}, {entered(said(9), "")}, "o"));
  };
  Announcement wrong = said(1);
  wrong.vni = must(Vni::from(43));
  CHECK(reason(wrong).find("VNI is 43") != std::string::npos);
  CHECK(reason(said(1, "192.0.2.1")).find("own") != std::string::npos);
  CHECK(reason(said(1, "2001:db8::2")).find("family") != std::string::npos);
  wrong = said(1);
  wrong.peer.prefixes = {net("10.1.0.0/16")};
  CHECK(reason(wrong).find("pool acme-pool on this node") != std::string::npos);
  wrong = said(1);
  wrong.peer.mac = pool().mac;
  CHECK(reason(wrong).find("MAC") != std::string::npos);
  wrong = said(1);
  wrong.peer.prefixes = {net("10.2.9.0/25")};
  CHECK(reason(wrong).find("added by hand") != std::string::npos);
  wrong = said(1);
  wrong.peer.prefixes = {net("10.3.0.0/16"), net("10.3.7.0/24")};
  CHECK(reason(wrong).find("same pool") != std::string::npos);
}

TEST_CASE("compare: tenants that have no pool here concern nobody") {
  Announcement other = said(1);
  other.peer.tenant = "other";
  const auto difference = compare(all({other}), {pool()}, {}, "o");
  CHECK(difference.tenants.empty());
  CHECK(difference.refused.empty());
  // The same addresses in two tenants are two things.
  const auto both = compare(all({said(1), other}), {pool(), pool("other")}, {}, "o");
  CHECK(both.tenants.size() == 2);
  CHECK(both.refused.empty());
}

TEST_CASE("compare: another MTU is a warning") {
  Announcement jumbo = said(1);
  jumbo.mtu = must(Mtu::from(8950));
  const auto difference = compare(all({jumbo}), {pool()}, {}, "o");
  REQUIRE(difference.warnings.size() == 1);
  CHECK(difference.warnings.front().find("8950") != std::string::npos);
  CHECK(difference.tenants.size() == 1);
}

}  // namespace particle::test
