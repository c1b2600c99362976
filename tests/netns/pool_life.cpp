// SPDX-License-Identifier: Apache-2.0
// What create makes, as other programs see it; and that delete leaves nothing.
#include <doctest/doctest.h>

#include <filesystem>

#include "pool/node_state.hpp"
#include "pool_scene.hpp"
#include "support/fd_leak.hpp"

namespace particle::test {
namespace {

using nlohmann::json;

std::string alias_of(const PoolInfo& info) {
  return "particle pool=" + info.name + " tenant=" + info.tenant +
         " vni=" + std::to_string(info.vni.value());
}

json link_named(const json& links, const std::string& name) {
  for (const json& link : links) {
    if (link["ifname"] == name) return link;
  }
  FAIL("no device " << name << " in " << links.dump());
  return {};
}

bool is_up(const json& link) {
  const json& flags = link["flags"];
  return std::find(flags.begin(), flags.end(), "UP") != flags.end();
}

std::set<std::string> addresses_on(const json& links, const std::string& device) {
  std::set<std::string> found;
  const json link = link_named(links, device);
  for (const json& entry : link["addr_info"]) {
    found.insert(entry["local"].get<std::string>() + "/" +
                 std::to_string(entry["prefixlen"].get<int>()));
  }
  return found;
}

std::string shown(const std::set<std::string>& texts) {
  std::string line;
  for (const auto& text : texts) line += text + " ";
  return line;
}

std::string host(const IpAddress& address) {
  return IpPrefix::host(address).to_string();
}

/// What is to be on eth0: every endpoint, or the first one alone.
std::set<std::string> wanted_addresses(const PoolInfo& info) {
  std::set<std::string> wanted;
  const std::uint64_t count = info.mode == AddressMode::secondary ? info.capacity : 1;
  for (const AddressBlock& each : info.blocks) {
    for (std::uint64_t i = 0; i < count; ++i) {
      wanted.insert(host(endpoint(info, each.prefix.family(), i)));
    }
  }
  return wanted;
}

void check_guest(const NetNs& netns, const PoolInfo& info) {
  const json links = as_json({"ip", "-j", "-d", "addr"}, netns);
  CHECK(links.size() == 2);
  const json guest = link_named(links, info.device);
  CHECK(guest["address"] == info.mac.to_string());
  CHECK(guest["mtu"] == info.mtu.value());
  CHECK(guest["ifalias"] == alias_of(info));
  CHECK(guest["linkinfo"]["info_kind"] == "veth");
  CHECK(is_up(guest));
  CHECK(is_up(link_named(links, "lo")));
  CHECK(shown(addresses_on(links, info.device)) == shown(wanted_addresses(info)));
  CHECK(as_json({"ip", "-j", "neigh"}, netns).empty());
}

/// `ip` leaves the length of a host route out.
bool is_for(const json& route, const IpPrefix& prefix) {
  const std::string to = route["dst"];
  return to == prefix.to_string() || prefix.network().bits() == prefix.length()
             ? to == prefix.to_string() || to == prefix.network().to_string()
             : false;
}

void check_routes(const NetNs& netns, const PoolInfo& info) {
  for (const AddressBlock& each : info.blocks) {
    const Family family = each.prefix.family();
    const std::string version = family == Family::v4 ? "-4" : "-6";
    const json main = as_json({"ip", "-j", version, "route"}, netns);
    CAPTURE(main.dump());
    std::set<std::string> destinations;
    for (const json& route : main) {
      if (route["dst"] == "fe80::/64") continue;
      if (!is_for(route, each.prefix)) {
        // The kernel shows an IPv6 host address as a route to itself.
        CHECK(wanted_addresses(info).contains(host(ip(route["dst"].get<std::string>()))));
        continue;
      }
      destinations.insert(route["dst"]);
      CHECK(route["dev"] == info.device);
      CHECK(route["prefsrc"] == primary(info, family).to_string());
      CHECK_FALSE(route.contains("gateway"));
    }
    // A prefix of one address needs no route: the address itself is one.
    const bool single = each.prefix.length() == each.prefix.network().bits();
    CHECK(shown(destinations) == (single ? "" : each.prefix.to_string() + " "));

    const json local = as_json(
        {"ip", "-j", version, "route", "show", "table", "local", "type", "local", "dev", "lo"},
        netns);
    CAPTURE(local.dump());
    for (const IpPrefix& owned : info.routes) {
      if (owned.family() != family || owned == IpPrefix::host(primary(info, family))) continue;
      const bool there = std::any_of(local.begin(), local.end(),
                                     [&](const json& route) { return is_for(route, owned); });
      // IPv6 addresses are made local by routes for exactly the endpoints, in every mode.
      if (info.mode == AddressMode::anyip) CHECK(there);
      if (info.mode == AddressMode::secondary && family == Family::v4) CHECK_FALSE(there);
    }
  }
}

json info_data(const json& link) {
  return link["linkinfo"]["info_data"];
}

void check_vtep(const NetNs& vtep, const PoolInfo& info) {
  const json links = as_json({"ip", "-j", "-d", "link"}, vtep);
  const json bridge = link_named(links, info.bridge);
  const json vxlan = link_named(links, info.vxlan);
  const json port = link_named(links, info.port);
  CHECK(is_up(bridge));
  CHECK(is_up(vxlan));
  CHECK(is_up(port));
  CHECK(vxlan["master"] == info.bridge);
  CHECK(port["master"] == info.bridge);
  CHECK(port["mtu"] == info.mtu.value());
  CHECK(port["ifalias"] == alias_of(info));
  CHECK(info_data(vxlan)["id"] == info.vni.value());
  CHECK(info_data(vxlan)["port"] == 4789);
  CHECK(info_data(vxlan)["learning"] == false);
  const char* local = info.vtep.is_v4() ? "local" : "local6";
  CHECK(info_data(vxlan)[local] == info.vtep.to_string());
  CHECK(vxlan.contains("link_netnsid"));
  // Devices that only switch frames speak for nobody.
  for (const json& each : as_json({"ip", "-j", "addr"}, vtep)) CHECK(each["addr_info"].empty());

  for (const json& each : as_json({"bridge", "-j", "-d", "link"}, vtep)) {
    if (each["ifname"] == info.bridge) continue;
    CAPTURE(each.dump());
    CHECK(each["learning"] == false);
    if (each["ifname"] == info.port) {
      CHECK(each["flood"] == false);
      CHECK(each["isolated"] == (info.isolation == Isolation::job));
    }
    if (each["ifname"] == info.vxlan) {
      CHECK(each["mcast_flood"] == false);
      CHECK(each["bcast_flood"] == false);
    }
  }
}

void check_fdb(const NetNs& vtep, const PoolInfo& info) {
  std::size_t statics = 0;
  for (const json& entry : as_json({"bridge", "-j", "fdb", "show"}, vtep)) {
    if (entry["mac"] != info.mac.to_string()) continue;
    CAPTURE(entry.dump());
    CHECK(entry["ifname"] == info.port);
    CHECK(entry["master"] == info.bridge);
    CHECK(entry["state"] == "static");
    ++statics;
  }
  CHECK(statics == 1);
}

void check_claims(const Node& node, const PoolInfo& info) {
  const NetNs netns = must(node.open_pool_netns(info.name));
  const NetNs vtep = must(node.open_vtep_netns(info.tenant));
  CHECK(info.netns_inode == must(netns.inode()));
  CHECK(must(must(NetNs::open_path(info.netns_path)).inode()) == info.netns_inode);
  CHECK(must(must(NetNs::open_path(info.vtep_path)).inode()) == must(vtep.inode()));
  check_guest(netns, info);
  check_routes(netns, info);
  check_vtep(vtep, info);
  check_fdb(vtep, info);
}

void check_life(PoolSpec spec, std::uint64_t capacity) {
  for (const AddressMode mode : kModes) {
    CAPTURE(to_string(mode));
    const Scene scene;
    spec.mode = mode;
    const PoolInfo info = make_pool(scene.a, spec);
    CHECK(info.mode == mode);
    CHECK(info.capacity == capacity);
    CHECK(info.leased == 0);
    CHECK(info.vtep == ip("192.0.2.1"));
    CHECK(info.underlay_device == kUnderlayDevice);
    CHECK(info.mtu.value() == 1450);
    check_claims(scene.a, info);
    must(scene.a.delete_pool(spec.name));
    CHECK(std::filesystem::is_empty(scene.dir.path()));
  }
}

}  // namespace

TEST_CASE("pool life: IPv4, a whole prefix") {
  if (!need_namespaces()) return;
  check_life(pool_spec("p", "acme", 7101, {"10.1.0.0/28"}), 14);
}

TEST_CASE("pool life: IPv6, a whole prefix with a count") {
  if (!need_namespaces()) return;
  PoolSpec spec = pool_spec("p", "acme", 7102, {"fd00:1::/64"});
  spec.count = 8;
  check_life(spec, 8);
}

TEST_CASE("pool life: both families, whole prefixes, as many as the smaller holds") {
  if (!need_namespaces()) return;
  check_life(pool_spec("p", "acme", 7103, {"10.1.0.0/28", "fd00:1::/120"}), 14);
}

TEST_CASE("pool life: both families, explicit ranges") {
  if (!need_namespaces()) return;
  check_life(pool_spec("p", "acme", 7104,
                       {"10.1.0.0/24 10.1.0.10-10.1.0.20", "fd00:1::/64 fd00:1::a-fd00:1::14"}),
             11);
}

TEST_CASE("pool life: a range with a count") {
  if (!need_namespaces()) return;
  PoolSpec spec = pool_spec("p", "acme", 7105, {"10.1.0.0/24 10.1.0.16-10.1.0.31"});
  spec.count = 5;
  check_life(spec, 5);
}

TEST_CASE("pool life: one endpoint") {
  if (!need_namespaces()) return;
  check_life(pool_spec("p", "acme", 7106, {"10.1.0.7/32", "fd00:1::7/128"}), 1);
}

TEST_CASE("pool life: isolation job and container are set up as they say") {
  if (!need_namespaces()) return;
  for (const Isolation isolation : {Isolation::job, Isolation::container}) {
    CAPTURE(to_string(isolation));
    const Scene scene;
    PoolSpec spec = pool_spec("p", "acme", 7107, {"10.1.0.0/28", "fd00:1::/120"});
    spec.isolation = isolation;
    const PoolInfo info = make_pool(scene.a, spec);
    CHECK(info.isolation == isolation);
    check_vtep(must(scene.a.open_vtep_netns("acme")), info);
    check_fdb(must(scene.a.open_vtep_netns("acme")), info);
    must(scene.a.delete_pool("p"));
    CHECK(std::filesystem::is_empty(scene.dir.path()));
  }
}

TEST_CASE("pool life: automatic mode goes by the number of endpoints and says why") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec few = pool_spec("few", "acme", 7108, {"10.1.0.0/16"});
  few.count = kAutomaticSecondaryLimit;
  PoolSpec many = pool_spec("many", "acme", 7108, {"10.2.0.0/16"});
  const PoolInfo small = make_pool(scene.a, few);
  const PoolInfo large = make_pool(scene.a, many);
  CHECK(small.mode == AddressMode::secondary);
  CHECK(large.mode == AddressMode::anyip);
  CHECK(large.capacity == 65534);
  CHECK(small.mode_reason.starts_with("auto"));
  CHECK(large.mode_reason.starts_with("auto"));
}

TEST_CASE("pool life: neither create, inspect nor delete leaves a descriptor open") {
  if (!need_namespaces()) return;
  const Scene scene;
  const FdLeak fds;
  must(scene.a.create_pool(pool_spec("p", "acme", 7109, {"10.1.0.0/28"})));
  must(scene.a.inspect_pool("p"));
  must(scene.a.list_pools());
  must(scene.a.delete_pool("p"));
  CHECK(fds.leaked() == std::vector<std::string>{});
}

TEST_CASE("pool life: a pool that is deleted is gone, and may be made again at once") {
  if (!need_namespaces()) return;
  const Scene scene;
  const PoolSpec spec = pool_spec("p", "acme", 7110, {"10.1.0.0/28", "fd00:1::/120"});
  for (int round = 0; round < 3; ++round) {
    make_pool(scene.a, spec);
    must(scene.a.delete_pool("p"));
    const auto info = scene.a.inspect_pool("p");
    REQUIRE_FALSE(info);
    CHECK(info.error().kind() == Errc::not_found);
    CHECK(must(scene.a.list_pools()).empty());
  }
}

TEST_CASE("pool life: a pool that is another tenant's by the time it is locked is left alone") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, pool_spec("p", "acme", 7113, {"10.1.0.0/28"}));
  make_pool(scene.a, pool_spec("q", "zeta", 7114, {"10.1.0.0/28"}));
  const NodeState state{scene.a.run_dir(), must(scene.nodes.a.duplicate()), scene.a.id(),
                        Layout(scene.a.directory())};
  // As when a delete read "p" of tenant zeta, and acme made its own before zeta's lock was free.
  const auto locks = state.lock_pool("p", "zeta");
  REQUIRE_FALSE(locks);
  CHECK(locks.error().kind() == Errc::busy);
  CHECK(locks.error().operation.find("acme") != std::string::npos);
  CHECK(state.lock_pool("p", "acme"));
}

TEST_CASE("pool MAC: stable over delete and create, and no other tenant's or node's") {
  if (!need_namespaces()) return;
  const Scene scene;
  const PoolSpec red = pool_spec("p", "red", 7111, {"10.1.0.0/28"});
  const PoolSpec blue = pool_spec("q", "blue", 7112, {"10.1.0.0/28"});
  const Mac first = make_pool(scene.a, red).mac;
  CHECK(first.is_locally_administered());
  CHECK_FALSE(first.is_multicast());
  must(scene.a.delete_pool("p"));
  CHECK(make_pool(scene.a, red).mac == first);
  must(scene.a.delete_pool("p"));
  // Of the tenant and the node, not of the pool's name or size.
  PoolSpec other = pool_spec("other", "red", 7111, {"10.7.0.0/24"});
  other.mode = AddressMode::anyip;
  CHECK(make_pool(scene.a, other).mac == first);

  std::set<Mac> all{first};
  all.insert(make_pool(scene.b, red).mac);
  all.insert(make_pool(scene.a, blue).mac);
  all.insert(make_pool(scene.b, blue).mac);
  CHECK(all.size() == 4);
}

}  // namespace particle::test
