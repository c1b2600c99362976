// SPDX-License-Identifier: Apache-2.0
#include "harness/fleet.hpp"

#include <array>

#include <particle/addr.hpp>
#include <particle/link.hpp>

#include "harness/open_node.hpp"

namespace particle::bench {
namespace {

constexpr IfIndex kLo{1};
constexpr IfIndex kUnderlay{10};
constexpr IfIndex kSwitch{1000};

Message up(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return encode_link_change(change);
}

Message address(IfIndex device, const IpAddress& ip) {
  AddrSpec spec;
  spec.device = device;
  spec.address = ip;
  spec.prefix_length = 24;  // of 192.0.2.0, which is for documentation (RFC 5737)
  spec.no_prefix_route = false;
  return encode_addr(spec);
}

Result<FreshNetNs> make_switch() {
  auto fresh = create_netns({{"net/ipv6/conf/default/disable_ipv6", "1", true}});
  if (!fresh) return fresh;
  BridgeSpec bridge;
  bridge.name = "fabric";
  bridge.index = kSwitch;
  const std::array requests{encode_bridge(bridge), up(kSwitch), up(kLo),
                            address(kSwitch, *IpAddress::parse(kServerAddress))};
  if (auto done = fresh->session.apply(requests); !done) return fail(std::move(done.error()));
  return fresh;
}

Result<FleetNode> add_node(Session& fabric, std::size_t number, const std::string& run_dir) {
  auto fresh = create_netns({{"net/ipv6/conf/default/disable_ipv6", "1", true}});
  if (!fresh) return fail(std::move(fresh.error()));
  VethSpec veth;
  veth.name = "port" + std::to_string(number);
  veth.index = IfIndex{static_cast<std::uint32_t>(2000 + number)};
  veth.master = kSwitch;
  veth.peer_name = "underlay0";
  veth.peer_index = kUnderlay;
  veth.peer_netns_fd = fresh->netns.fd();
  const std::array on_switch{encode_veth(veth), up(veth.index)};
  if (auto done = fabric.apply(on_switch); !done) return fail(std::move(done.error()));
  const IpAddress underlay = IpAddress::parse("192.0.2.0")->plus(number).value();
  const std::array on_node{up(kLo), up(kUnderlay), address(kUnderlay, underlay)};
  if (auto done = fresh->session.apply(on_node); !done) return fail(std::move(done.error()));
  auto node = open_node(fresh->netns, run_dir);
  if (!node) return fail(std::move(node.error()));
  return FleetNode{"n" + std::to_string(number), std::move(fresh->netns), *std::move(node),
                   underlay};
}

}  // namespace

Result<Fleet> make_fleet(std::size_t nodes, const std::string& run_dir) {
  auto fabric = make_switch();
  if (!fabric) return fail(std::move(fabric.error()));
  std::vector<FleetNode> all;
  for (std::size_t number = 1; number <= nodes; ++number) {
    auto node = add_node(fabric->session, number, run_dir);
    if (!node) return fail(std::move(node.error()));
    all.push_back(*std::move(node));
  }
  return Fleet{std::move(fabric->netns), std::move(all)};
}

}  // namespace particle::bench
