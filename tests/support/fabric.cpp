// SPDX-License-Identifier: Apache-2.0
#include "support/fabric.hpp"

#include <particle/addr.hpp>
#include <particle/link.hpp>

#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

constexpr IfIndex kSwitch{1000};
constexpr IfIndex kUnderlay{100};

std::string port_name(std::size_t node) {
  return "port" + std::to_string(node);
}

IfIndex port_index(std::size_t node) {
  return IfIndex{static_cast<std::uint32_t>(2000 + node)};
}

LinkChange raise(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return change;
}

AddrSpec underlay_address(const std::string& text, unsigned length) {
  AddrSpec spec;
  spec.device = kUnderlay;
  spec.address = must(IpAddress::parse(text));
  spec.prefix_length = length;
  spec.no_prefix_route = false;
  return spec;
}

NetNs add_node(Session& fabric, std::size_t node, unsigned mtu) {
  FreshNetNs made = must(create_netns({{"net/ipv6/conf/all/accept_dad", "0", true},
                                       {"net/ipv6/conf/default/accept_dad", "0", true}}));
  VethSpec veth;
  veth.name = port_name(node);
  veth.index = port_index(node);
  veth.master = kSwitch;
  veth.peer_name = kUnderlayDevice;
  veth.peer_index = kUnderlay;
  veth.peer_netns_fd = made.netns.fd();
  veth.mtu = must(Mtu::from(mtu));
  must(fabric.apply(encode_veth(veth)));
  must(fabric.apply(encode_link_change(raise(port_index(node)))));
  const std::string number = std::to_string(node + 1);
  must(made.session.apply(std::vector<Message>{
      encode_link_change(raise(IfIndex{1})), encode_link_change(raise(kUnderlay)),
      encode_addr(underlay_address("192.0.2." + number, 24)),
      encode_addr(underlay_address("2001:db8::" + number, 64))}));
  return std::move(made.netns);
}

}  // namespace

IpAddress Fabric::underlay_v4(std::size_t node) {
  return must(IpAddress::parse("192.0.2." + std::to_string(node + 1)));
}

void Fabric::connect(std::size_t node, bool connected) const {
  LinkChange change;
  change.index = port_index(node);
  change.up = connected;
  Session session = must(switch_netns.open_session());
  must(session.apply(encode_link_change(change)));
}

Fabric make_fabric(std::size_t nodes, unsigned mtu) {
  FreshNetNs made = must(create_netns({{"net/ipv6/conf/default/disable_ipv6", "1", true}}));
  BridgeSpec bridge{
      .name = "fabric", .index = kSwitch, .mtu = must(Mtu::from(mtu)), .mac = std::nullopt};
  must(made.session.apply(encode_bridge(bridge)));
  must(made.session.apply(encode_link_change(raise(kSwitch))));
  std::vector<NetNs> all;
  for (std::size_t i = 0; i < nodes; ++i) all.push_back(add_node(made.session, i, mtu));
  return {std::move(made.netns), std::move(all)};
}

}  // namespace particle::test
