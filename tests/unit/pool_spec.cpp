// SPDX-License-Identifier: Apache-2.0
// check(spec), the choice of an underlay, and what a spec resolves to.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <particle/peer.hpp>
#include <particle/pool.hpp>

#include "addresses.hpp"
#include "pool/planner.hpp"
#include "pool/resolve.hpp"
#include "pool/underlay.hpp"

namespace particle {
namespace {

AddressBlock whole(const char* prefix) {
  return {net(prefix), std::nullopt};
}
AddressBlock part(const char* prefix, const char* range) {
  return {net(prefix), *IpRange::parse(range)};
}

PoolSpec valid() {
  PoolSpec spec;
  spec.name = "pool";
  spec.tenant = "acme";
  spec.vni = *Vni::from(42);
  spec.blocks = {whole("10.1.0.0/24")};
  return spec;
}

TenantRecord tenant_record(std::uint64_t mtu = 1450) {
  TenantRecord tenant;
  tenant.tenant = "acme";
  tenant.vni = *Vni::from(42);
  tenant.vtep = ip("192.0.2.1");
  tenant.underlay_device = "eth0";
  tenant.mtu = *Mtu::from(mtu);
  return tenant;
}

PoolRecord resolved(const PoolSpec& spec, const std::vector<PoolRecord>& siblings = {}) {
  return resolve(spec, tenant_record(), siblings, 7).value();
}

void complains(const PoolSpec& spec, const std::string& about) {
  const auto errors = check(spec);
  CAPTURE(about);
  REQUIRE(errors.size() == 1);
  CHECK(errors.front().kind() == Errc::invalid_argument);
  CAPTURE(errors.front().message());
  CHECK(errors.front().message().find(about) != std::string::npos);
}

PoolSpec with(void (*change)(PoolSpec&)) {
  PoolSpec spec = valid();
  change(spec);
  return spec;
}

}  // namespace

TEST_CASE("spec: a valid one has nothing wrong, whatever it leaves open") {
  CHECK(check(valid()).empty());
  CHECK(check(with([](PoolSpec& s) {
          s.blocks = {whole("fd00:1::/64"), whole("10.1.0.0/24")};
        })).empty());
  CHECK(check(with([](PoolSpec& s) { s.blocks = {whole("10.1.0.7/32")}; })).empty());
  CHECK(check(with([](PoolSpec& s) { s.blocks = {whole("10.0.0.0/8")}; })).empty());
  CHECK(check(with([](PoolSpec& s) { s.name = std::string(63, 'a'); })).empty());
  CHECK(check(with([](PoolSpec& s) {
          s.blocks = {part("10.1.0.0/24", "10.1.0.0-10.1.0.255")};
          s.count = 256;
        })).empty());
}

TEST_CASE("spec: every bad field is named") {
  complains(with([](PoolSpec& s) { s.name.clear(); }), "pool name is empty");
  complains(with([](PoolSpec& s) { s.name = std::string(64, 'a'); }), "longer than 63");
  for (const char* name : {".", "..", "-a", "_a", ".a", "a/b", "a b", "a\n", "\xc3\xa9", "a\x01"}) {
    PoolSpec spec = valid();
    spec.name = name;
    complains(spec, "pool name");
    spec = valid();
    spec.tenant = name;
    complains(spec, "tenant");
  }
  complains(with([](PoolSpec& s) { s.tenant.clear(); }), "tenant is empty");
  complains(with([](PoolSpec& s) { s.vni = {}; }), "VNI");
  complains(with([](PoolSpec& s) { s.blocks.clear(); }), "no prefix");
  complains(with([](PoolSpec& s) { s.blocks.push_back(whole("10.2.0.0/24")); }),
            "more than one prefix of a family");
  complains(with([](PoolSpec& s) { s.count = 0; }), "count 0");
  complains(with([](PoolSpec& s) { s.count = 255; }), "count 255 does not fit");
  complains(with([](PoolSpec& s) { s.cooldown = std::chrono::milliseconds(-1); }), "cool-down");
  complains(with([](PoolSpec& s) { s.underlay = {"eth0", ip("192.0.2.1")}; }), "both");
  complains(with([](PoolSpec& s) { s.underlay.device = "a/b"; }), "a/b");
  complains(with([](PoolSpec& s) {
              s.blocks = {whole("fd00::/64")};
              s.mtu = *Mtu::from(1279);
            }),
            "1280");
  for (const char* prefix : {"224.0.0.0/24", "127.0.0.0/24", "169.254.1.0/24", "0.0.0.0/0",
                             "ff02::/64", "::1/128", "fe80::/64", "::/0"}) {
    PoolSpec spec = valid();
    spec.blocks = {whole(prefix)};
    complains(spec, prefix);
  }
  complains(with([](PoolSpec& s) { s.blocks = {part("10.1.0.0/24", "10.1.0.250-10.1.1.5")}; }),
            "is not within prefix");
  complains(with([](PoolSpec& s) { s.blocks = {part("10.1.0.0/24", "fd00::1-fd00::5")}; }),
            "is not within prefix");
  complains(with([](PoolSpec& s) {
              s.blocks = {whole("10.1.0.1/32")};
              s.isolation = Isolation::container;
            }),
            "isolation container");
  complains(with([](PoolSpec& s) {
              s.blocks = {whole("fd00::/64")};
              s.count = kMaxEndpoints + 1;
            }),
            "exceeds the limit");
  complains(with([](PoolSpec& s) {
              s.blocks = {whole("10.0.0.0/8")};
              s.mode = AddressMode::secondary;
            }),
            "mode secondary");
}

TEST_CASE("spec: all that is wrong is said at once") {
  PoolSpec spec;
  spec.underlay = {"eth0", ip("192.0.2.1")};
  spec.cooldown = std::chrono::milliseconds(-5);
  spec.mtu = *Mtu::from(100);
  spec.blocks = {whole("ff02::/64"), part("10.1.0.0/24", "10.9.0.1-10.9.0.2")};
  CHECK(check(spec).size() == 8);  // name, tenant, VNI, prefix, range, MTU, underlay, cool-down
}

TEST_CASE("spec: a count that does not fit is said beside a bad name") {
  PoolSpec spec = valid();
  spec.name = "a/b";
  spec.count = 255;
  const auto errors = check(spec);
  REQUIRE(errors.size() == 2);
  CHECK(errors.back().message().find("count 255 does not fit") != std::string::npos);
}

TEST_CASE("peer: every bad field is named") {
  const Peer good{"acme", ip("192.0.2.2"), *Mac::parse("02:00:00:00:00:07"), {net("10.2.0.0/24")}};
  CHECK(check(good).empty());
  const auto count = [&](auto change) {
    Peer peer = good;
    change(peer);
    return check(peer).size();
  };
  CHECK(count([](Peer& p) { p.tenant = "a/b"; }) == 1);
  CHECK(count([](Peer& p) { p.vtep = {}; }) == 1);
  CHECK(count([](Peer& p) { p.vtep = ip("224.0.0.1"); }) == 1);
  CHECK(count([](Peer& p) { p.mac = {}; }) == 1);
  CHECK(count([](Peer& p) { p.mac.bytes[0] = 1; }) == 1);
  CHECK(count([](Peer& p) { p.prefixes.clear(); }) == 1);
  CHECK(count([](Peer& p) { p.prefixes.push_back(net("0.0.0.0/0")); }) == 1);
  CHECK(count([](Peer& p) { p = {}; }) == 4);
}

TEST_CASE("underlay: what is asked for, what there is, and what comes of it") {
  ObservedNamespace node;
  node.exists = true;
  const auto link = [&](std::uint32_t index, const char* name, bool up, std::uint32_t mtu) {
    node.links.push_back({.index = IfIndex{index},
                          .name = name,
                          .kind = {},
                          .up = up,
                          .mtu = mtu,
                          .mac = {},
                          .master = {},
                          .alias = {}});
  };
  link(1, "lo", true, 65536);
  link(2, "eth0", true, 1500);
  link(3, "eth1", true, 9000);
  link(4, "down", false, 1500);
  link(5, "tiny", true, 100);
  link(6, "bare", true, 1500);
  node.addresses = {
      {IfIndex{1}, ip("127.0.0.1"), 8, true},     {IfIndex{2}, ip("192.0.2.1"), 24, false},
      {IfIndex{2}, ip("fe80::1"), 64, true},      {IfIndex{3}, ip("fe80::2"), 64, true},
      {IfIndex{3}, ip("2001:db8::1"), 64, false}, {IfIndex{4}, ip("198.51.100.1"), 24, false},
      {IfIndex{5}, ip("203.0.113.1"), 24, false}, {IfIndex{6}, ip("fe80::6"), 64, true}};
  const auto choose = [&](const Underlay& asked, std::optional<IfIndex> route = {}) {
    return choose_underlay(asked, node, route);
  };
  const auto by_device = choose({"eth0", {}});
  REQUIRE(by_device.has_value());
  CHECK(by_device->address == ip("192.0.2.1"));
  CHECK(by_device->bound == IfIndex{2});
  CHECK(by_device->pool_mtu.value() == 1450);
  CHECK(choose({"eth1", {}})->pool_mtu.value() == 8930);
  CHECK(choose({"eth1", {}})->address == ip("2001:db8::1"));
  CHECK(choose({"lo", {}})->address == ip("127.0.0.1"));
  CHECK(choose({"lo", {}})->pool_mtu.value() == 65486);
  CHECK(choose({"none", {}}).error().kind() == Errc::not_found);
  CHECK(choose({"none", {}}).error().hint.find("eth0 (192.0.2.1)") != std::string::npos);
  CHECK(choose({"down", {}}).error().message().find("is down") != std::string::npos);
  CHECK(choose({"tiny", {}}).error().message().find("too small") != std::string::npos);
  CHECK(choose({"bare", {}}).error().message().find("has no IP address") != std::string::npos);

  const auto by_address = choose({{}, ip("2001:db8::1")});
  REQUIRE(by_address.has_value());
  CHECK(by_address->device == "eth1");
  CHECK_FALSE(by_address->bound.has_value());
  CHECK(choose({{}, ip("10.9.9.9")}).error().kind() == Errc::not_found);
  CHECK(choose({{}, ip("198.51.100.1")}).error().kind() == Errc::invalid_argument);

  const auto by_route = choose({}, IfIndex{3});
  REQUIRE(by_route.has_value());
  CHECK(by_route->device == "eth1");
  CHECK_FALSE(by_route->bound.has_value());
  CHECK(choose({}).error().kind() == Errc::invalid_argument);  // three candidates
  std::erase_if(node.addresses,
                [](const auto& a) { return a.device.value == 3 || a.device.value == 5; });
  CHECK(choose({})->device == "eth0");  // the only one left that is up
  CHECK(choose({}, IfIndex{6})->device == "eth0");
  node.addresses.clear();
  CHECK(choose({}).error().hint.find("--underlay-dev lo") != std::string::npos);
}

TEST_CASE("resolve: the mode is chosen by the number of endpoints, and says why") {
  const auto mode_of = [](std::uint64_t count, AddressMode asked, Isolation isolation) {
    PoolSpec spec = valid();
    spec.blocks = {whole("10.1.0.0/16")};
    spec.count = count;
    spec.mode = asked;
    spec.isolation = isolation;
    return resolved(spec);
  };
  const auto automatic = AddressMode::automatic;
  CHECK(mode_of(1, automatic, Isolation::tenant).mode == AddressMode::secondary);
  CHECK(mode_of(256, automatic, Isolation::tenant).mode == AddressMode::secondary);
  CHECK(mode_of(257, automatic, Isolation::tenant).mode == AddressMode::anyip);
  CHECK(mode_of(257, automatic, Isolation::job).mode_reason.find("auto: ") == 0);
  CHECK(mode_of(257, AddressMode::secondary, Isolation::job).mode == AddressMode::secondary);
  CHECK(mode_of(2, AddressMode::anyip, Isolation::tenant).mode == AddressMode::anyip);
  CHECK(mode_of(2, AddressMode::anyip, Isolation::tenant).mode_reason == "asked for");
  CHECK(mode_of(9999, AddressMode::anyip, Isolation::container).mode == AddressMode::secondary);
}

TEST_CASE("resolve: endpoints, capacity and what is owned follow from the blocks") {
  PoolSpec spec = valid();
  spec.blocks = {whole("fd00:1::/64"), part("10.1.0.0/24", "10.1.0.10-10.1.0.19")};
  const PoolRecord record = resolved(spec);
  CHECK(record.capacity == 10);
  REQUIRE(record.blocks.size() == 2);
  CHECK(record.blocks[0].primary() == ip("10.1.0.10"));  // IPv4 first
  CHECK(record.blocks[1].primary() == ip("fd00:1::1"));
  CHECK(record.blocks[1].endpoints.last() == ip("fd00:1::a"));
  CHECK(record.blocks[1].owned == std::vector<IpPrefix>{net("fd00:1::/64")});
  CHECK(record.blocks[0].owned ==
        std::vector<IpPrefix>{net("10.1.0.10/31"), net("10.1.0.12/30"), net("10.1.0.16/30")});
  CHECK(record.endpoint(9).to_string() == "10.1.0.19,fd00:1::a");
  CHECK(record.index_of(ip("10.1.0.12")) == 2U);
  CHECK_FALSE(record.index_of(ip("10.1.0.20")).has_value());
  spec.count = 3;
  CHECK(resolved(spec).capacity == 3);
  CHECK(resolved(spec).count_given);
  spec.count.reset();
  spec.blocks = {whole("fd00:1::/64")};
  CHECK(resolved(spec).capacity == kMaxEndpoints);
  CHECK(resolved(spec).first_leasable() == 0);
}

TEST_CASE("resolve: the MTU is the underlay's, or a smaller one, and large enough for IPv6") {
  PoolSpec spec = valid();
  CHECK(resolve(spec, tenant_record(1450), {}, 0)->mtu.value() == 1450);
  spec.mtu = *Mtu::from(1400);
  CHECK(resolve(spec, tenant_record(1450), {}, 0)->mtu.value() == 1400);
  spec.mtu = *Mtu::from(1451);
  const auto above = resolve(spec, tenant_record(1450), {}, 0);
  REQUIRE_FALSE(above.has_value());
  CHECK(above.error().kind() == Errc::invalid_argument);
  CHECK(above.error().message().find("1450 bytes") != std::string::npos);
  spec = valid();
  CHECK(resolve(spec, tenant_record(1279), {}, 0).has_value());
  spec.blocks.push_back(whole("fd00:1::/64"));
  CHECK(resolve(spec, tenant_record(1280), {}, 0).has_value());
  CHECK(resolve(spec, tenant_record(1279), {}, 0).error().kind() == Errc::invalid_argument);
}

TEST_CASE("resolve: one stable MAC per tenant and node, further pools have their own") {
  const PoolSpec first = valid();
  PoolSpec second = valid();
  second.name = "second";
  const PoolRecord a = resolved(first);
  CHECK(a.mac == resolved(first).mac);
  CHECK(a.mac == resolved(second).mac);
  CHECK_FALSE(a.mac == resolved(second, {a}).mac);
  CHECK(resolved(second, {a}).mac == resolved(second, {a}).mac);
  CHECK(a.mac.is_locally_administered());
  CHECK_FALSE(a.mac.is_multicast());
  PoolSpec job = valid();
  job.isolation = Isolation::job;
  CHECK_FALSE(resolved(job).mac == a.mac);
  TenantRecord elsewhere = tenant_record();
  elsewhere.vtep = ip("192.0.2.9");
  CHECK_FALSE(resolve(first, elsewhere, {}, 0)->mac == a.mac);
}

TEST_CASE("differences: each field that differs is one line, what was left open is none") {
  PoolSpec spec = valid();
  const PoolRecord have = resolved(spec);
  CHECK(differences(have, resolved(spec), spec).empty());
  PoolSpec other = spec;
  other.mode = AddressMode::anyip;
  other.isolation = Isolation::job;
  other.mtu = *Mtu::from(1400);
  other.count = 5;
  other.blocks = {whole("10.2.0.0/24")};
  other.cooldown = std::chrono::milliseconds(7);
  const auto lines = differences(have, resolved(other), other);
  CHECK(lines.size() == 6);
  CHECK(std::find(lines.begin(), lines.end(), "count: has 254, asked for 5") != lines.end());
  PoolSpec same = spec;
  same.mode = AddressMode::secondary;
  same.count = 254;
  CHECK(differences(have, resolved(same), same).empty());
}

TEST_CASE("check_overlap: siblings and peers, but not disjoint ranges of one prefix") {
  PoolSpec spec = valid();
  spec.blocks = {part("10.1.0.0/24", "10.1.0.10-10.1.0.19"), whole("fd00:1::/64")};
  const PoolRecord want = resolved(spec);
  const auto sibling = [](AddressBlock block) {
    PoolSpec other = valid();
    other.name = "other";
    other.blocks = {std::move(block)};
    return std::vector<PoolRecord>{resolved(other)};
  };
  CHECK(check_overlap(want, {}, {}).has_value());
  CHECK(check_overlap(want, sibling(part("10.1.0.0/24", "10.1.0.20-10.1.0.29")), {}).has_value());
  const auto refused = check_overlap(want, sibling(part("10.1.0.0/24", "10.1.0.19-10.1.0.29")), {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind() == Errc::conflict);
  CHECK(refused.error().message().find("pool other") != std::string::npos);
  CHECK_FALSE(check_overlap(want, sibling(whole("10.0.0.0/8")), {}).has_value());
  CHECK_FALSE(check_overlap(want, sibling(whole("fd00:1::/80")), {}).has_value());
  const Peer peer{"acme", ip("192.0.2.2"), *Mac::parse("02:00:00:00:00:07"), {net("10.1.0.16/28")}};
  CHECK(check_overlap(want, {}, {peer}).error().message().find("peer 192.0.2.2") !=
        std::string::npos);
}

TEST_CASE("check_tenant: another VNI or underlay than the tenant's is a conflict") {
  TenantRecord tenant = tenant_record();
  PoolSpec spec = valid();
  CHECK(check_tenant(spec, tenant).has_value());
  spec.vni = *Vni::from(43);
  CHECK(check_tenant(spec, tenant).error().kind() == Errc::conflict);
  spec = valid();
  spec.underlay.address = ip("192.0.2.1");
  CHECK(check_tenant(spec, tenant).has_value());
  spec.underlay.address = ip("192.0.2.2");
  CHECK(check_tenant(spec, tenant).error().kind() == Errc::conflict);
  spec.underlay = {"eth0", {}};
  CHECK_FALSE(check_tenant(spec, tenant).has_value());  // it is not bound to the device
  tenant.bound_device = IfIndex{2};
  CHECK(check_tenant(spec, tenant).has_value());
  spec.underlay = {{}, ip("192.0.2.1")};
  CHECK_FALSE(check_tenant(spec, tenant).has_value());
}

}  // namespace particle
