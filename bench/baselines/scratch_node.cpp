// SPDX-License-Identifier: Apache-2.0
#include "baselines/scratch_node.hpp"

#include <array>

namespace particle::baselines {
namespace {

Result<void> make_vtep(ScratchNode& made) {
  BridgeSpec bridge{.name = "br0", .index = kBridge, .mtu = {}, .mac = {}};
  if (auto done = made.vtep.session.apply(encode_bridge(bridge)); !done) return done;

  VxlanSpec vxlan;
  vxlan.name = "vx0";
  vxlan.index = kVxlan;
  vxlan.vni = Vni::from(4242).value();
  vxlan.master = kBridge;
  vxlan.netns_fd = made.vtep.netns.fd();
  if (auto done = made.node.session.apply(encode_vxlan(vxlan)); !done) return done;

  LinkChange bridge_up;
  bridge_up.index = kBridge;
  bridge_up.up = true;
  LinkChange vxlan_up = bridge_up;
  vxlan_up.index = kVxlan;
  const std::array requests{encode_link_change(bridge_up), encode_link_change(vxlan_up)};
  return made.vtep.session.apply(requests);
}

}  // namespace

Result<ScratchNode> make_scratch_node() {
  auto node = create_netns();
  if (!node) return fail(std::move(node.error()));
  auto vtep = create_netns();
  if (!vtep) return fail(std::move(vtep.error()));
  ScratchNode made{std::move(*node), std::move(*vtep)};
  if (auto done = make_vtep(made); !done) return fail(std::move(done.error()));
  return made;
}

IpAddress container_address(std::uint64_t i) {
  static const IpAddress base = IpAddress::parse("10.1.0.1").value();
  return base.plus(i).value();
}

}  // namespace particle::baselines
