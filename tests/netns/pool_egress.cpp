// SPDX-License-Identifier: Apache-2.0
// Egress and published ports: a node, what is outside of it, and who reaches whom.
#include <doctest/doctest.h>

#include "pool/nftables.hpp"
#include "pool_crash_support.hpp"
#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

/// Node a has a leg to the outside, 198.51.100.1 and 2001:db8:100::1; .2 and ::2 are out there. Its
/// underlay, with node b on it, is another network.
struct Outskirts {
  Scene scene;
  NetNs outside = must(create_netns()).netns;

  Outskirts() {
    const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/";
    run_ok({"ip", "link", "add", "wan", "type", "veth", "peer", "name", "wan", "netns",
            path + std::to_string(outside.fd())},
           scene.nodes.a);
    leg(scene.nodes.a, "1");
    leg(outside, "2");
    must(scene.nodes.a.write_sysctls(
        {{"net/ipv4/ip_forward", "1", false}, {"net/ipv6/conf/all/forwarding", "1", false}}));
  }

  static void leg(const NetNs& netns, const std::string& host) {
    run_ok({"ip", "link", "set", "lo", "up"}, netns);
    run_ok({"ip", "addr", "add", "198.51.100." + host + "/24", "dev", "wan"}, netns);
    run_ok({"ip", "addr", "add", "2001:db8:100::" + host + "/64", "dev", "wan", "nodad"}, netns);
    run_ok({"ip", "link", "set", "wan", "up"}, netns);
  }
};

const char* outside_of(Family family) {
  return family == Family::v4 ? "198.51.100.2" : "2001:db8:100::2";
}
const char* node_of(Family family) {
  return family == Family::v4 ? "198.51.100.1" : "2001:db8:100::1";
}

PoolSpec egress_spec(const std::string& name, const std::string& tenant, std::uint64_t vni,
                     Egress egress, int number = 1) {
  const std::string n = std::to_string(number);
  PoolSpec spec = pool_spec(name, tenant, vni, {});
  spec.blocks = {block("10.1." + n + ".0/24"), block("fd00:1:" + n + "::/64")};
  spec.count = 4;
  spec.egress = egress;
  spec.underlay.address = ip("192.0.2.1");
  return spec;
}

bool hears(const NetNs& from, const std::optional<IpAddress>& source, const std::string& to,
           const TokenServer& server, bool expected) {
  return ask(from, source, ip(to), server.port(), expected ? kTrafficLimit : kSilence).has_value();
}

/// No device, rule, route or neighbour of a gateway is left in the node.
void check_node_is_clean(const NetNs& node) {
  const auto look = [&] {
    const auto seen = must(observe(node));
    std::string text = run_command({"nft", "list", "tables"}, &node).out;
    for (const auto& link : seen.links)
      if (link.name.starts_with("pup")) text += link.name;
    for (const auto& neighbour : seen.neighbours) text += neighbour.address.to_string();
    for (const auto& route : seen.routes)
      if (route.destination.to_string().starts_with("240.")) text += route.destination.to_string();
    return text;
  };
  CHECK(settle(look, {""}) == "");
}

}  // namespace

TEST_CASE("pool egress: masquerade reaches the outside under the node's address") {
  if (!need_namespaces()) return;
  const Outskirts place;
  const PoolInfo info =
      make_pool(place.scene.a, egress_spec("p", "acme", 7881, Egress::masquerade));
  CHECK(info.egress == Egress::masquerade);
  const NetNs pool = must(place.scene.a.open_pool_netns("p"));
  const TokenServer server(place.outside, "out");
  for (const Family family : kFamilies) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      const auto answer =
          ask(pool, endpoint(info, family, i), ip(outside_of(family)), server.port());
      CHECK(answer.value_or(answer ? "" : answer.error().message()) ==
            std::string("out ") + node_of(family));
    }
  }
  must(place.scene.a.delete_pool("p"));
  check_node_is_clean(place.scene.nodes.a);
  CHECK(list_files(place.scene.dir.path(), false) == "");
}

TEST_CASE("pool egress: routed reaches the outside under the endpoint's own address") {
  if (!need_namespaces()) return;
  const Outskirts place;
  PoolSpec spec = egress_spec("p", "acme", 7882, Egress::routed);
  spec.mode = AddressMode::anyip;
  const PoolInfo info = make_pool(place.scene.a, spec);
  run_ok({"ip", "route", "add", "10.1.1.0/24", "via", "198.51.100.1"}, place.outside);
  run_ok({"ip", "-6", "route", "add", "fd00:1:1::/64", "via", "2001:db8:100::1"}, place.outside);
  const NetNs pool = must(place.scene.a.open_pool_netns("p"));
  const TokenServer server(place.outside, "out");
  const TokenServer inside(pool, "in");
  for (const Family family : kFamilies) {
    const IpAddress from = endpoint(info, family, 2);
    const auto answer = ask(pool, from, ip(outside_of(family)), server.port());
    CHECK(answer.value_or(answer ? "" : answer.error().message()) == "out " + from.to_string());
    // What was not published is not reached, although the outside has a route.
    CHECK_FALSE(ask(place.outside, {}, from, inside.port(), kSilence));
  }
  must(place.scene.a.delete_pool("p"));
  check_node_is_clean(place.scene.nodes.a);
}

TEST_CASE("pool egress: none is the default, and leaves no way out") {
  if (!need_namespaces()) return;
  const Outskirts place;
  const PoolInfo info = make_pool(place.scene.a, egress_spec("p", "acme", 7883, Egress::none));
  const NetNs pool = must(place.scene.a.open_pool_netns("p"));
  const TokenServer server(place.outside, "out");
  for (const Family family : kFamilies)
    CHECK_FALSE(hears(pool, endpoint(info, family, 1), outside_of(family), server, false));
  check_node_is_clean(place.scene.nodes.a);
}

TEST_CASE("pool egress: tenants with the same addresses stay apart, from each other and the node") {
  if (!need_namespaces()) return;
  const Outskirts place;
  const PoolInfo red =
      make_pool(place.scene.a, egress_spec("red", "red", 7884, Egress::masquerade));
  const PoolInfo blue =
      make_pool(place.scene.a, egress_spec("blue", "blue", 7885, Egress::masquerade));
  const NetNs red_ns = must(place.scene.a.open_pool_netns("red"));
  const NetNs blue_ns = must(place.scene.a.open_pool_netns("blue"));
  const TokenServer out(place.outside, "out");
  const TokenServer on_node(place.scene.nodes.a, "node");
  const TokenServer in_blue(blue_ns, "blue");
  for (const Family family : kFamilies) {
    // Both at once, from the same address: each answer finds its way back.
    for (const NetNs* netns : {&red_ns, &blue_ns})
      CHECK(hears(*netns, endpoint(red, family, 1), outside_of(family), out, true));
    CHECK_FALSE(hears(red_ns, {}, node_of(family), on_node, false));
    const char* underlay = family == Family::v4 ? "192.0.2.1" : "2001:db8::1";
    CHECK_FALSE(hears(red_ns, {}, underlay, on_node, false));
    // The uplinks' own addresses lead nowhere either.
    const char* uplink = family == Family::v4 ? "240.0.30.205" : "fd70:6172:7469:636c::1ecd";
    CHECK_FALSE(hears(red_ns, {}, uplink, in_blue, false));
    CHECK_FALSE(
        hears(red_ns, {}, family == Family::v4 ? "169.254.1.1" : "fd70::1", on_node, false));
  }
}

TEST_CASE("pool egress: jobs of one tenant do not reach each other through the gateway") {
  if (!need_namespaces()) return;
  const Outskirts place;
  PoolSpec one = egress_spec("one", "acme", 7886, Egress::masquerade, 1);
  PoolSpec two = egress_spec("two", "acme", 7886, Egress::masquerade, 2);
  one.isolation = two.isolation = Isolation::job;
  make_pool(place.scene.a, one);
  const PoolInfo info = make_pool(place.scene.a, two);
  const NetNs one_ns = must(place.scene.a.open_pool_netns("one"));
  const NetNs two_ns = must(place.scene.a.open_pool_netns("two"));
  const TokenServer server(two_ns, "two");
  const TokenServer out(place.outside, "out");
  for (const Family family : kFamilies) {
    CHECK_FALSE(ask(one_ns, {}, endpoint(info, family, 1), server.port(), kSilence));
    CHECK(hears(one_ns, {}, outside_of(family), out, true));
    CHECK(hears(two_ns, {}, outside_of(family), out, true));
  }
  // One goes, the other stays connected.
  must(place.scene.a.delete_pool("one"));
  CHECK(must(place.scene.a.inspect_pool("two")).problems == std::vector<std::string>{});
  CHECK(hears(two_ns, {}, outside_of(Family::v4), out, true));
}

TEST_CASE("pool egress: no tenant gets VXLAN frames of its own making past the node") {
  if (!need_namespaces()) return;
  const Outskirts place;
  const PoolInfo info =
      make_pool(place.scene.a, egress_spec("p", "acme", 7887, Egress::masquerade));
  const NetNs pool = must(place.scene.a.open_pool_netns("p"));
  // socat is not everywhere, bash and its /dev/udp are.
  Command listener({"timeout", "3", "tcpdump", "-l", "-n", "-i", "wan", "udp"}, &place.outside);
  REQUIRE(listener.wait_for_text("listening on"));
  for (const char* port : {"4789", "14789", "4790"})
    run_ok({"bash", "-c", std::string("echo x > /dev/udp/198.51.100.2/") + port}, pool);
  CHECK(listener.wait_for_text(".4790: "));
  const CommandResult heard = listener.finish();
  CHECK(heard.out.find(".4789: ") == std::string::npos);
  CHECK(heard.out.find(".14789: ") == std::string::npos);
}

TEST_CASE("pool publish: a port of the node leads to the endpoint, and to nothing else") {
  if (!need_namespaces()) return;
  const Outskirts place;
  const NetNs& node = place.scene.nodes.a;
  PoolSpec spec = egress_spec("p", "acme", 7888, Egress::none);
  spec.published = {must(PublishedPort::parse("8080:10.1.1.2:7000/tcp")),
                    must(PublishedPort::parse("8080:10.1.1.3:53/udp")),
                    must(PublishedPort::parse("8081:[fd00:1:1::2]:7000"))};
  CHECK(make_pool(place.scene.a, spec).published == spec.published);
  const NetNs pool = must(place.scene.a.open_pool_netns("p"));
  Command serve(
      {"python3", "-c",
       "import socket,sys\n"
       "s=socket.create_server(('::',7000),family=socket.AF_INET6,dualstack_ipv6=True)\n"
       "print('ready',flush=True)\n"
       "while True:\n"
       " c,a=s.accept(); c.sendall(('in '+a[0].replace('::ffff:','')).encode()); c.close()\n"},
      &pool);
  REQUIRE(serve.wait_for_text("ready"));
  const auto v4 = ask(place.outside, {}, ip("198.51.100.1"), 8080);
  CHECK(v4.value_or(v4 ? "" : v4.error().message()) == "in 198.51.100.2");
  const auto v6 = ask(place.outside, {}, ip("2001:db8:100::1"), 8081);
  CHECK(v6.value_or(v6 ? "" : v6.error().message()) == "in 2001:db8:100::2");
  // From the node itself, by its addresses.
  CHECK(ask(node, {}, ip("198.51.100.1"), 8080).has_value());
  // The pool still has no way out of its own.
  const TokenServer out(place.outside, "out");
  CHECK_FALSE(hears(pool, {}, outside_of(Family::v4), out, false));
  // Nobody else takes the port, until the pool goes.
  PoolSpec rival = egress_spec("q", "rival", 7889, Egress::none);
  rival.published = {spec.published.front()};
  const auto refused = place.scene.a.create_pool(rival);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::conflict);
  CHECK(refused.error().message().find("published by pool p") != std::string::npos);
  must(place.scene.a.delete_pool("p", true));
  CHECK_FALSE(ask(place.outside, {}, ip("198.51.100.1"), 8080, kSilence));
  check_node_is_clean(node);
  CHECK(list_files(place.scene.dir.path(), false) == "");
}

TEST_CASE("pool egress: what cannot be is refused with the reason, and leaves nothing") {
  if (!need_namespaces()) return;
  const Outskirts place;
  const auto refused = [&](const PoolSpec& spec) {
    const auto made = place.scene.a.create_pool(spec);
    REQUIRE_FALSE(made);
    CHECK(list_files(place.scene.dir.path(), false) == "");
    check_node_is_clean(place.scene.nodes.a);
    return made.error().message() + " " + made.error().hint;
  };
  PoolSpec spec = egress_spec("p", "acme", 7890, Egress::routed);
  spec.blocks = {block("198.51.100.128/25")};
  CHECK(refused(spec).find("198.51.100.0/24 (wan)") != std::string::npos);
  spec = egress_spec("p", "acme", 7890, Egress::masquerade);
  spec.attachment = Attachment::direct;
  CHECK(refused(spec).find("attachment veth") != std::string::npos);
  spec = egress_spec("p", "acme", 7890, Egress::masquerade);
  spec.isolation = Isolation::container;
  CHECK(refused(spec).find("isolation container") != std::string::npos);
  spec = egress_spec("p", "acme", 7890, Egress::none);
  spec.published = {must(PublishedPort::parse("80:10.9.9.9:80"))};
  CHECK(refused(spec).find("no endpoint") != std::string::npos);
  must(place.scene.nodes.a.write_sysctls({{"net/ipv4/ip_forward", "0", false}}));
  CHECK(refused(egress_spec("p", "acme", 7890, Egress::masquerade)).find("net.ipv4.ip_forward=1") !=
        std::string::npos);
  for (const char* text : {"", "80", "80:10.1.1.1", "0:10.1.1.1:80", "80:10.1.1.1:99999",
                           "80:fd00::1:80", "80:10.1.1.1:80/sctp", "80:[10.1.1.1]:80"}) {
    CAPTURE(text);
    CHECK_FALSE(PublishedPort::parse(text));
  }
  CHECK(must(PublishedPort::parse("80:[fd00::1]:81/udp")).to_string() == "80:[fd00::1]:81/udp");
}

TEST_CASE("pool egress: each damage to the gateway is seen and mended") {
  if (!need_namespaces()) return;
  struct Damage {
    const char* name;
    enum { node, vtep, pool } where;
    std::vector<std::string> command;
  };
  const std::vector<Damage> damages{
      {"uplink gone", Damage::node, {"ip", "link", "del", "pup7891"}},
      {"uplink down", Damage::node, {"ip", "link", "set", "pup7891", "down"}},
      {"VTEP's end down", Damage::vtep, {"ip", "link", "set", "up0", "down"}},
      {"node's rules gone", Damage::node, {"nft", "delete", "table", "inet", "particle-7891"}},
      {"VTEP's rules gone", Damage::vtep, {"nft", "flush", "ruleset"}},
      {"pool's route gone", Damage::pool, {"ip", "route", "del", "default"}},
      {"VTEP's route gone", Damage::vtep, {"ip", "route", "del", "default"}},
      {"way in gone", Damage::vtep, {"ip", "route", "del", "10.1.1.0/24"}},
  };
  for (const Damage& damage : damages) {
    CAPTURE(std::string(damage.name));
    const Outskirts place;
    const PoolSpec spec = egress_spec("p", "acme", 7891, Egress::masquerade);
    make_pool(place.scene.a, spec);
    const NetNs pool = must(place.scene.a.open_pool_netns("p"));
    const NetNs vtep = must(place.scene.a.open_vtep_netns("acme"));
    const NetNs& below = damage.where == Damage::vtep ? vtep : pool;
    run_ok(damage.command, damage.where == Damage::node ? place.scene.nodes.a : below);
    CHECK(must(place.scene.a.inspect_pool("p")).health == PoolHealth::damaged);
    CHECK(must(place.scene.a.create_pool(spec)).outcome.changed);
    CHECK(said(must(place.scene.a.inspect_pool("p")).problems) == "");
    const TokenServer server(place.outside, "out");
    for (const Family family : kFamilies) CHECK(hears(pool, {}, outside_of(family), server, true));
  }
}

TEST_CASE(
    "pool egress: killed after any step, create and delete leave nothing that gc does not end") {
  if (!need_namespaces()) return;
  const Outskirts place;
  const NetNs& home = place.scene.nodes.a;
  std::size_t steps = 100;
  for (const bool deleting : {false, true}) {
    for (std::size_t k = 1; k < steps; ++k) {
      CAPTURE(deleting);
      CAPTURE(k);
      const World world(home);
      PoolSpec spec = egress_spec("p", "acme", world.vni, Egress::masquerade);
      spec.published = {must(PublishedPort::parse("8080:10.1.1.2:80"))};
      if (deleting) must(world.node.create_pool(spec));
      const ChildEnd end = kill_after_step(
          world.node,
          [&](const Node& node, const ApplyOptions& options) {
            return deleting ? only_status(node.delete_pool("p", true, options))
                            : only_status(node.create_pool(spec, options));
          },
          k);
      REQUIRE_FALSE(end.crashed);
      steps = end.steps;
      const std::string found = words(must(world.node.collect_garbage()));
      INFO(found);
      CHECK(words(must(world.node.collect_garbage())) == "");
      world.check_clean_after_delete_all();
      check_node_is_clean(home);
      if (!end.killed) break;
    }
    steps = 100;
  }
}

}  // namespace particle::test
