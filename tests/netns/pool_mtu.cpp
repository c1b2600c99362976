// SPDX-License-Identifier: Apache-2.0
// The MTU is exact: what fits crosses in one piece, one byte more is refused where it is sent.
#include <doctest/doctest.h>

#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

struct Underlays {
  Underlay a;
  Underlay b;
};

Underlays by_family(Family family) {
  if (family == Family::v4) return {{{}, ip("192.0.2.1")}, {{}, ip("192.0.2.2")}};
  return {{{}, ip("2001:db8::1")}, {{}, ip("2001:db8::2")}};
}

PoolSpec sized_spec(bool first, const Underlay& underlay, std::optional<Mtu> mtu) {
  PoolSpec spec = first ? pool_spec("p", "acme", 7201, {"10.1.1.0/24", "fd00:1:1::/64"})
                        : pool_spec("p", "acme", 7201, {"10.1.2.0/24", "fd00:1:2::/64"});
  spec.count = 4;
  spec.underlay = underlay;
  spec.mtu = mtu;
  return spec;
}

void check_exact(const Scene& scene, const PoolInfo& a, const PoolInfo& b) {
  const NetNs netns_a = must(scene.a.open_pool_netns("p"));
  const NetNs netns_b = must(scene.b.open_pool_netns("p"));
  const std::size_t mtu = a.mtu.value();
  for (const Family family : kFamilies) {
    const IpAddress from = endpoint(a, family, 1);
    const IpAddress to = endpoint(b, family, 2);
    Datagrams sender(netns_a, from);
    Datagrams receiver(netns_b, to);
    CAPTURE(to.to_string());
    must(sender.send_packet(to, receiver.port(), mtu));
    CHECK(receiver.receive_packet() == mtu);
    const auto refused = sender.send_packet(to, receiver.port(), mtu + 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code.value() == EMSGSIZE);
    // And back, which is the other node's MTU.
    must(receiver.send_packet(from, sender.port(), b.mtu.value()));
    CHECK(sender.receive_packet() == b.mtu.value());
  }
}

void check_underlay(Family family, unsigned underlay_mtu, std::optional<Mtu> asked,
                    std::uint32_t expected) {
  for (const Attachment attachment : {Attachment::veth, Attachment::direct}) {
    const AddressMode mode =
        attachment == Attachment::veth ? AddressMode::secondary : AddressMode::anyip;
    CAPTURE(to_string(attachment));
    const Scene scene(underlay_mtu);
    const Underlays underlays = by_family(family);
    PoolSpec on_a = sized_spec(true, underlays.a, asked);
    PoolSpec on_b = sized_spec(false, underlays.b, asked);
    on_a.mode = mode;
    on_b.mode = mode;
    on_a.attachment = attachment;
    on_b.attachment = attachment;
    const PoolInfo a = make_pool(scene.a, on_a);
    const PoolInfo b = make_pool(scene.b, on_b);
    CHECK(a.mtu.value() == expected);
    CHECK(b.mtu.value() == expected);
    must(scene.a.add_peer(as_peer(b)));
    must(scene.b.add_peer(as_peer(a)));
    check_exact(scene, a, b);
  }
}

Error refused(const Scene& scene, const PoolSpec& spec) {
  const auto made = scene.a.create_pool(spec);
  REQUIRE_FALSE(made);
  CHECK(made.error().kind() == Errc::invalid_argument);
  CHECK(must(scene.a.list_pools()).empty());
  return made.error();
}

}  // namespace

TEST_CASE("pool MTU: an IPv4 underlay's less 50 passes whole") {
  if (!need_namespaces()) return;
  check_underlay(Family::v4, 1500, {}, 1450);
}

TEST_CASE("pool MTU: an IPv6 underlay's less 70 passes whole") {
  if (!need_namespaces()) return;
  check_underlay(Family::v6, 1500, {}, 1430);
}

TEST_CASE("pool MTU: a jumbo underlay is used in full") {
  if (!need_namespaces()) return;
  check_underlay(Family::v4, 9000, {}, 8950);
}

TEST_CASE("pool MTU: a smaller one may be asked for") {
  if (!need_namespaces()) return;
  check_underlay(Family::v4, 1500, must(Mtu::from(1300)), 1300);
}

TEST_CASE("pool MTU: pools of one tenant may have different ones") {
  if (!need_namespaces()) return;
  const Scene scene;
  const PoolInfo a = make_pool(scene.a, sized_spec(true, {}, must(Mtu::from(1400))));
  const PoolInfo b = make_pool(scene.b, sized_spec(false, {}, must(Mtu::from(1400))));
  PoolSpec small = pool_spec("small", "acme", 7201, {"10.1.3.0/24"});
  small.mtu = must(Mtu::from(1000));
  CHECK(make_pool(scene.a, small).mtu.value() == 1000);
  must(scene.a.add_peer(as_peer(b)));
  must(scene.b.add_peer(as_peer(a)));
  // The bridge of the small one still lets the large one's packets through.
  check_exact(scene, a, b);
}

TEST_CASE("pool MTU: more than the underlay carries is refused") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec spec = sized_spec(true, {}, must(Mtu::from(1451)));
  CHECK(refused(scene, spec).message().find("1450") != std::string::npos);
  spec.mtu = must(Mtu::from(1431));
  spec.underlay.address = ip("2001:db8::1");
  CHECK(refused(scene, spec).message().find("1430") != std::string::npos);
}

TEST_CASE("pool MTU: one below 1280 is refused for IPv6 and taken for IPv4") {
  if (!need_namespaces()) return;
  const Scene scene(1300);  // too small once VXLAN has had its part
  PoolSpec spec = sized_spec(true, {}, {});
  CHECK(refused(scene, spec).message().find("1280") != std::string::npos);
  spec.mtu = must(Mtu::from(1000));
  CHECK(refused(scene, spec).message().find("1280") != std::string::npos);
  spec.blocks.pop_back();
  CHECK(make_pool(scene.a, spec).mtu.value() == 1000);
}

TEST_CASE("pool MTU: an underlay that is down or too small is refused") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec spec = sized_spec(true, {}, {});
  spec.underlay.device = kUnderlayDevice;
  spec.blocks.pop_back();
  run_ok({"ip", "link", "set", kUnderlayDevice, "mtu", "100"}, scene.nodes.a);
  CHECK(refused(scene, spec).message().find("too small") != std::string::npos);
  run_ok({"ip", "link", "set", kUnderlayDevice, "down"}, scene.nodes.a);
  CHECK(refused(scene, spec).message().find("down") != std::string::npos);
}

}  // namespace particle::test
