// SPDX-License-Identifier: Apache-2.0
// The planner: what is missing becomes named steps, each with its undo; what is there, none.
#include "addresses.hpp"
#include "pool/planner.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include "pool/resolve.hpp"

namespace particle {
namespace {

TenantRecord tenant() {
  TenantRecord record;
  record.tenant = "acme";
  record.vni = *Vni::from(42);
  record.vtep = ip("192.0.2.1");
  record.underlay_device = "eth0";
  record.mtu = *Mtu::from(1450);
  return record;
}

PoolRecord pool(const std::string& name, const char* v4, const char* v6, AddressMode mode,
                Isolation isolation = Isolation::tenant) {
  PoolSpec spec;
  spec.name = name;
  spec.tenant = "acme";
  spec.vni = *Vni::from(42);
  spec.blocks = {{net("10.1.0.0/24"), *IpRange::parse(v4)},
                 {net("fd00:1::/64"), *IpRange::parse(v6)}};
  spec.mode = mode;
  spec.isolation = isolation;
  PoolRecord record = *resolve(spec, tenant(), {}, std::hash<std::string>{}(name));
  record.mac = Mac::derive(name);
  return record;
}

PoolRecord a_pool(AddressMode mode, Isolation isolation = Isolation::tenant) {
  return pool("pool", "10.1.0.10-10.1.0.17", "fd00:1::10-fd00:1::17", mode, isolation);
}

Peer a_peer() {
  return {"acme",
          ip("192.0.2.2"),
          *Mac::parse("02:00:00:00:00:07"),
          {net("10.2.0.0/24"), net("fd00:2::/64")}};
}

/// What the two namespaces of a pool hold once a plan's changes are made: a kernel in miniature.
struct Kernel {
  ObservedNamespace vtep;
  ObservedNamespace pool;

  void run(const Plan& plan) {
    for (const auto& step : plan.steps) run(step.action);
  }
  void run(const Action& action) {
    if (const auto* make = std::get_if<MakeNamespace>(&action)) {
      ObservedNamespace& place = at(make->place);
      place.exists = true;
      place.links.push_back({.index = kLoopbackIndex,
                             .name = "lo",
                             .kind = {},
                             .up = false,
                             .mtu = 65536,
                             .mac = {},
                             .master = {},
                             .alias = {}});
    }
    if (const auto* configure = std::get_if<Configure>(&action)) {
      for (const auto& change : configure->changes) apply(*configure, change);
    }
  }

 private:
  ObservedNamespace& at(const Place& place) {
    return place.kind == Place::Kind::pool || place.kind == Place::Kind::endpoint ? pool : vtep;
  }
  static void add(ObservedNamespace& place, IfIndex index, const std::string& name,
                  const char* kind, IfIndex master, Mac mac, Mtu mtu) {
    place.links.push_back({.index = index,
                           .name = name,
                           .kind = kind,
                           .up = false,
                           .mtu = mtu.value(),
                           .mac = mac,
                           .master = master,
                           .alias = {}});
  }
  void apply(const Configure& configure, const Change& change) {
    ObservedNamespace& place = at(configure.place);
    std::visit([&](const auto& object) { act(place, change, object); }, change.object);
    std::sort(place.addresses.begin(), place.addresses.end());
  }
  /// What changes nothing that is observed.
  template <class Other>
  static void act(ObservedNamespace&, const Change&, const Other&) {}
  void act(ObservedNamespace& place, const Change&, const BridgeSpec& spec) {
    add(place, spec.index, spec.name, "bridge", {}, {}, spec.mtu.value_or(Mtu{}));
  }
  void act(ObservedNamespace&, const Change& change, const VxlanSpec& spec) {
    add(at(change.birthplace), spec.index, spec.name, "vxlan", spec.master.value_or(IfIndex{}), {},
        spec.mtu.value_or(Mtu{}));
  }
  void act(ObservedNamespace& place, const Change& change, const VethSpec& spec) {
    const Mtu mtu = spec.mtu.value_or(Mtu{});
    add(place, spec.index, spec.name, "veth", spec.master.value_or(IfIndex{}), {}, mtu);
    add(at(change.birthplace), spec.peer_index, spec.peer_name, "veth", {},
        spec.peer_mac.value_or(Mac{}), mtu);
  }
  static void act(ObservedNamespace& place, const Change&, const LinkChange& spec) {
    for (auto& link : place.links) {
      if (spec.index.valid() ? link.index != spec.index : link.name != spec.name) continue;
      if (spec.up) link.up = *spec.up;
      if (spec.master) link.master = *spec.master;
      if (spec.alias) link.alias = *spec.alias;
      if (spec.mac) link.mac = *spec.mac;
      if (spec.mtu) link.mtu = spec.mtu->value();
    }
  }
  static void act(ObservedNamespace& place, const Change&, const LinkRemoval& spec) {
    std::erase_if(place.links, [&](const auto& link) { return link.name == spec.name; });
  }
  static void act(ObservedNamespace& place, const Change& change, const AddrRange& spec) {
    for (std::uint64_t i = 0; i < spec.range.size(); ++i) {
      const IpAddress address = spec.range.at(i);
      std::erase_if(place.addresses, [&](const auto& a) { return a.address == address; });
      if (change.verb != Verb::remove)
        place.addresses.push_back({spec.device, address, address.bits(), false});
    }
  }
  static void act(ObservedNamespace& place, const Change& change, const RouteSpec& spec) {
    std::erase_if(place.routes, [&](const RouteSpec& r) {
      return r.destination == spec.destination && r.kind == spec.kind;
    });
    if (change.verb != Verb::remove) place.routes.push_back(spec);
  }
  static void act(ObservedNamespace& place, const Change& change, const NeighSpec& spec) {
    std::erase_if(place.neighbours, [&](const auto& n) { return n.address == spec.address; });
    if (change.verb != Verb::remove) place.neighbours.push_back(spec);
  }
  static void act(ObservedNamespace& place, const Change& change, const FdbSpec& spec) {
    std::erase_if(place.fdb, [&](const auto& f) { return f.mac == spec.mac; });
    if (change.verb != Verb::remove) place.fdb.push_back(spec);
  }
};

const Layout node_layout("/run/particle/node-x");

Plan plan_all(const PoolRecord& want, const Kernel& have, bool recorded) {
  Plan plan;
  plan_vtep(plan, node_layout, tenant(), have.vtep, recorded);
  const bool raised = plan_devices(plan, node_layout, tenant(), want, have.pool, have.vtep);
  plan_addresses(plan, want, have.pool);
  plan_neighbours(plan, want, have.pool, {as_neighbour(a_peer())});
  if (raised) plan_ready(plan, want);
  plan_fdb(plan, tenant(), {a_peer()}, have.vtep);
  return plan;
}

/// The steps by name, with spaces between them.
std::string names_of(const Plan& plan) {
  std::string names;
  for (const auto& step : plan.steps) names += (names.empty() ? "" : " ") + step.name;
  return names;
}

Kernel complete(const PoolRecord& want) {
  Kernel kernel;
  kernel.run(plan_all(want, kernel, false));
  return kernel;
}

std::vector<PoolRecord> all_kinds() {
  return {a_pool(AddressMode::secondary), a_pool(AddressMode::anyip),
          a_pool(AddressMode::anyip, Isolation::job),
          a_pool(AddressMode::automatic, Isolation::container)};
}

}  // namespace

TEST_CASE("planner: a fresh pool takes these steps, in this order") {
  CHECK(names_of(plan_all(a_pool(AddressMode::secondary), {}, false)) ==
        "vtep.intent vtep.vni vtep.namespace vtep.bridge vtep.vxlan vtep.up vtep.commit "
        "pool.namespace pool.veth pool.attach pool.up pool.addresses pool.routes pool.neighbour "
        "pool.ready vtep.fdb");
  CHECK(names_of(plan_all(a_pool(AddressMode::secondary), {}, true)) ==
        "vtep.namespace vtep.bridge vtep.vxlan vtep.up pool.namespace pool.veth "
        "pool.attach pool.up pool.addresses pool.routes pool.neighbour pool.ready vtep.fdb");
}

TEST_CASE("planner: each step that makes something that outlives its namespace has an undo") {
  for (const auto& want : all_kinds()) {
    const Plan plan = plan_all(want, {}, false);
    for (const auto& step : plan.steps) {
      CAPTURE(step.name);
      // These are on devices of a namespace whose own step has the undo.
      const bool inner = step.name == "vtep.bridge" || step.name == "vtep.vxlan" ||
                         step.name == "vtep.up" || step.name == "pool.attach" ||
                         step.name == "pool.up" || step.name == "pool.ready";
      CHECK(step.undo.empty() == inner);
      CHECK_FALSE(step.what.empty());
    }
  }
}

TEST_CASE("planner: undoing what a repair added leaves what was there before") {
  const PoolRecord want = a_pool(AddressMode::secondary);
  const Kernel whole = complete(want);
  Kernel damaged = whole;
  damaged.pool.addresses.erase(damaged.pool.addresses.begin() + 2);
  damaged.pool.routes.pop_back();
  damaged.vtep.fdb.clear();
  Kernel kernel = damaged;
  const Plan repair = plan_all(want, damaged, true);
  kernel.run(repair);
  CHECK(plan_all(want, kernel, true).empty());
  for (const auto& step : repair.steps | std::views::reverse) {
    for (const auto& action : step.undo) kernel.run(action);
  }
  CHECK(kernel.pool.addresses == damaged.pool.addresses);
  CHECK(kernel.pool.routes.size() == damaged.pool.routes.size());
  CHECK(kernel.pool.neighbours.size() == damaged.pool.neighbours.size());
}

TEST_CASE("planner: a complete pool needs nothing") {
  for (const auto& want : all_kinds()) {
    CAPTURE(to_text(want));
    CHECK(names_of(plan_all(want, complete(want), true)) == "");
  }
}

TEST_CASE("planner: of a pool that lacks one thing just that is made") {
  const auto lacking = [](AddressMode mode, const std::function<void(Kernel&)>& damage) {
    const PoolRecord want = a_pool(mode);
    Kernel kernel = complete(want);
    damage(kernel);
    const Plan plan = plan_all(want, kernel, true);
    kernel.run(plan);
    CHECK(names_of(plan_all(want, kernel, true)) == "");
    return names_of(plan);
  };
  const auto lower = [](ObservedNamespace& place, const std::string& name) {
    for (auto& link : place.links) {
      if (link.name == name) link.up = false;
    }
  };
  const auto secondary = AddressMode::secondary;
  const auto anyip = AddressMode::anyip;
  const std::string port = a_pool(secondary).port;
  CHECK(lacking(secondary, [&](Kernel& k) { lower(k.vtep, "br42"); }) == "vtep.up");
  CHECK(lacking(secondary, [&](Kernel& k) { lower(k.vtep, "vx42"); }) == "vtep.up");
  CHECK(lacking(secondary, [&](Kernel& k) { lower(k.vtep, port); }) == "pool.attach pool.ready");
  CHECK(lacking(secondary, [&](Kernel& k) { lower(k.pool, "lo"); }) == "pool.up pool.ready");
  CHECK(lacking(secondary, [&](Kernel& k) { lower(k.pool, "eth0"); }) == "pool.up pool.ready");
  CHECK(lacking(secondary, [](Kernel& k) { k.pool.addresses.pop_back(); }) == "pool.addresses");
  CHECK(lacking(secondary, [](Kernel& k) {
          k.pool.addresses.erase(k.pool.addresses.begin() + 3);
        }) == "pool.addresses");
  CHECK(lacking(anyip, [](Kernel& k) {
          std::erase_if(k.pool.routes, [](const auto& r) { return r.kind == RouteKind::local; });
        }) == "pool.routes");
  CHECK(lacking(anyip, [](Kernel& k) {
          std::erase_if(k.pool.routes, [](const auto& r) { return r.gateway.has_value(); });
        }) == "pool.neighbour");
  CHECK(lacking(anyip, [](Kernel& k) { k.pool.neighbours.clear(); }) == "pool.neighbour");
  CHECK(lacking(anyip, [](Kernel& k) {
          std::erase_if(k.vtep.fdb, [](const auto& f) { return f.remote.has_value(); });
        }) == "vtep.fdb");
  CHECK(lacking(anyip, [](Kernel& k) {
          std::erase_if(k.vtep.fdb, [](const auto& f) { return !f.remote; });
        }) == "pool.attach pool.ready");
  CHECK(lacking(anyip, [](Kernel& k) {
          std::erase_if(k.vtep.links, [](const auto& l) { return l.kind == "vxlan"; });
        }) == "vtep.vxlan vtep.up");
}

TEST_CASE("planner: only the addresses that are missing are added") {
  const PoolRecord want = a_pool(AddressMode::secondary);
  Kernel kernel = complete(want);
  std::erase_if(kernel.pool.addresses, [](const ObservedAddress& a) {
    return a.address == ip("10.1.0.12") || a.address == ip("10.1.0.13") ||
           a.address == ip("fd00:1::17");
  });
  const Plan plan = plan_all(want, kernel, true);
  REQUIRE(plan.steps.size() == 1);
  const auto& changes = std::get<Configure>(plan.steps[0].action).changes;
  REQUIRE(changes.size() == 2);
  CHECK(std::get<AddrRange>(changes[0].object).range == *IpRange::parse("10.1.0.12-10.1.0.13"));
  CHECK(std::get<AddrRange>(changes[1].object).range == *IpRange::parse("fd00:1::17"));
}

TEST_CASE("planner: no plan moves a device, and every device is born where it belongs") {
  for (const auto& want : all_kinds()) {
    for (const auto& step : plan_all(want, {}, false).steps) {
      const auto* configure = std::get_if<Configure>(&step.action);
      if (configure == nullptr) continue;
      for (const auto& change : configure->changes) {
        if (std::holds_alternative<VxlanSpec>(change.object)) {
          CHECK(configure->place == Place::node());
          CHECK(change.birthplace == Place::vtep());
        }
        if (std::holds_alternative<VethSpec>(change.object)) {
          CHECK(configure->place == Place::vtep());
          CHECK(change.birthplace == Place::of_pool("pool"));
        }
      }
    }
  }
}

TEST_CASE("planner: the VTEP's namespace knows its node before it is pinned") {
  for (const auto& step : plan_all(a_pool(AddressMode::anyip), {}, false).steps) {
    const auto* make = std::get_if<MakeNamespace>(&step.action);
    if (make == nullptr) continue;
    CHECK(make->node_id == (make->place == Place::vtep() ? kNodeNetNsId : 0));
  }
}

TEST_CASE("planner: a resize adds or takes away just the difference") {
  const PoolRecord small =
      pool("pool", "10.1.0.10-10.1.0.12", "fd00:1::10-fd00:1::12", AddressMode::secondary);
  const PoolRecord large = a_pool(AddressMode::secondary);
  const auto difference = [](const PoolRecord& from, const PoolRecord& to) {
    Kernel kernel = complete(from);
    Plan plan;
    plan_addresses(plan, to, kernel.pool, {from});
    kernel.run(plan);
    const Kernel wanted = complete(to);
    CHECK(kernel.pool.addresses == wanted.pool.addresses);
    CHECK(kernel.pool.routes.size() == wanted.pool.routes.size());
    for (const auto& route : wanted.pool.routes) {
      CHECK(kernel.pool.route(route.destination, route.kind) != nullptr);
    }
    return names_of(plan);
  };
  CHECK(difference(small, large).find("pool.addresses") == 0);
  CHECK(difference(small, large).find("pool.addresses.remove") == std::string::npos);
  CHECK(difference(large, small).find("pool.addresses.remove") != std::string::npos);
  CHECK(difference(large, large) == "");
}

TEST_CASE(
    "planner: a removal takes the pool alone, or with the last one the VTEP and its records") {
  Removal removal;
  removal.pool = a_pool(AddressMode::secondary);
  removal.record_is_ready = true;
  removal.leases_exist = true;
  removal.siblings = {
      pool("sibling", "10.1.0.100-10.1.0.103", "fd00:1::100-fd00:1::103", AddressMode::anyip)};
  const auto steps = [&] {
    Plan plan;
    plan_removal(plan, node_layout, removal);
    return names_of(plan);
  };
  CHECK(steps() ==
        "record.removing leases.forget pool.neighbour.remove pool.detach pool.namespace.remove "
        "record.unlink record.remove");
  removal.siblings.clear();
  removal.last_of_tenant = true;
  removal.owns_vni = true;
  removal.endpoints = {3, 5};
  CHECK(steps() ==
        "record.removing leases.forget endpoint.namespace.remove endpoint.namespace.remove "
        "pool.namespace.remove vtep.namespace.remove vtep.record.remove vtep.record.remove "
        "vtep.record.remove vtep.record.remove record.unlink record.remove");
  removal = {};
  removal.pool = a_pool(AddressMode::secondary);
  removal.last_of_tenant = true;  // of a cut-off create that lost its VNI to another tenant
  CHECK(steps() ==
        "pool.namespace.remove vtep.namespace.remove vtep.record.remove vtep.record.remove "
        "vtep.record.remove record.unlink record.remove");
}

TEST_CASE("planner: jobs are not connected to siblings, everybody else is") {
  const auto of = [](Isolation isolation) { return a_pool(AddressMode::automatic, isolation); };
  CHECK(are_connected(of(Isolation::tenant), of(Isolation::container)));
  CHECK(are_connected(of(Isolation::tenant), of(Isolation::tenant)));
  CHECK_FALSE(are_connected(of(Isolation::job), of(Isolation::tenant)));
  CHECK_FALSE(are_connected(of(Isolation::container), of(Isolation::job)));
}

TEST_CASE("next_hop: the first host address of the first prefix of the family") {
  const auto hop = [](std::vector<IpPrefix> prefixes, Family family) {
    return next_hop({"peer", {}, std::move(prefixes)}, family);
  };
  CHECK(hop({net("10.2.0.0/24"), net("10.1.0.0/24")}, Family::v4) == ip("10.2.0.1"));
  CHECK(hop({net("fd00:2::/64"), net("10.1.0.0/24")}, Family::v4) == ip("10.1.0.1"));
  CHECK(hop({net("10.2.0.6/31")}, Family::v4) == ip("10.2.0.6"));
  CHECK(hop({net("10.2.0.7/32")}, Family::v4) == ip("10.2.0.7"));
  CHECK(hop({net("fd00:2::/64")}, Family::v6) == ip("fd00:2::1"));
  CHECK_FALSE(hop({net("10.2.0.0/24")}, Family::v6).has_value());
  CHECK_FALSE(hop({}, Family::v4).has_value());
}

TEST_CASE("port: its name is one the kernel takes, whatever the pool is called") {
  std::set<std::string> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint64_t random = i * 0x9e3779b97f4a7c15U;
    for (const auto& name : {std::string("a"), std::string("pool"), std::string(63, 'x')}) {
      const PortIdentity port = make_port_identity(name, random);
      CHECK(check_device_name(port.name).has_value());
      CHECK(port.name.starts_with(name.substr(0, 8) + "-"));
      CHECK(port.index.value >= 0x10000U);
      CHECK(port.index.value <= 0x7fffffffU);
    }
    seen.insert(make_port_identity("pool", random).name);
  }
  CHECK(seen.size() > 990);
  CHECK(make_port_identity("pool", ~std::uint64_t{0}).name.size() == 10);
}

TEST_CASE("planner: an endpoint of isolation container is made whole, whatever is left of it") {
  const PoolRecord want = a_pool(AddressMode::automatic, Isolation::container);
  const PortIdentity port{"pool-abcde", IfIndex{70000}};
  Plan fresh;
  plan_endpoint(fresh, node_layout, want, 2, port, {});
  CHECK(names_of(fresh) ==
        "endpoint.namespace pool.veth pool.attach pool.up pool.ready endpoint.addresses");
  for (std::size_t done = 0; done <= fresh.steps.size(); ++done) {
    CAPTURE(done);
    Kernel kernel;
    for (std::size_t i = 0; i < done; ++i) kernel.run(fresh.steps[i].action);
    CHECK(is_whole_endpoint(want, 2, kernel.pool) == (done == fresh.steps.size()));
    Plan rest;
    plan_endpoint(rest, node_layout, want, 2, {"pool-fghij", IfIndex{70001}}, kernel.pool);
    kernel.run(rest);
    CHECK(is_whole_endpoint(want, 2, kernel.pool));
    CHECK_FALSE(is_whole_endpoint(want, 3, kernel.pool));
    CHECK(rest.empty() == (done == fresh.steps.size()));
  }
}

}  // namespace particle
