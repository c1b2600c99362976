// SPDX-License-Identifier: Apache-2.0
#include "support/floor_on_bed.hpp"

#include <array>

#include <net/if.h>

#include <particle/link.hpp>
#include <particle/netns.hpp>
#include <particle/session.hpp>

#include "harness/stats.hpp"

namespace particle::bench {
namespace {

/// The bridge's index in the tenant's VTEP namespace.
Result<std::uint32_t> bridge_index(const Testbed& bed) {
  std::uint32_t index = 0;
  auto vtep = bed.node().open_vtep_netns(kTenant);
  if (!vtep) return fail(std::move(vtep.error()));
  auto ran = vtep->run([&]() -> Result<void> {
    index = if_nametoindex(bed.keeper().bridge.c_str());
    return {};
  });
  if (!ran) return fail(std::move(ran.error()));
  return index;
}

constexpr std::uint32_t kFloorVni = 4'000'001;

/// Up to here: the namespace, two sessions and three sends.
Result<void> make_floor_vtep(Session& node, const std::string& pin, std::uint32_t vni) {
  auto fresh = create_netns();
  if (!fresh) return fail(std::move(fresh.error()));
  if (auto pinned = pin_netns(fresh->netns, pin); !pinned) return pinned;
  BridgeSpec bridge;
  bridge.name = "br";
  bridge.index = IfIndex{2};
  VxlanSpec vxlan;
  vxlan.name = "vx";
  vxlan.index = IfIndex{3};
  vxlan.vni = *Vni::from(vni);
  vxlan.master = bridge.index;
  vxlan.netns_fd = fresh->netns.fd();
  if (auto made = fresh->session.apply(encode_bridge(bridge)); !made) return made;
  if (auto made = node.apply(encode_vxlan(vxlan)); !made) return made;
  LinkChange bridge_up;
  bridge_up.index = bridge.index;
  bridge_up.up = true;
  LinkChange vxlan_up = bridge_up;
  vxlan_up.index = vxlan.index;
  const std::array up{encode_link_change(bridge_up), encode_link_change(vxlan_up)};
  return fresh->session.apply(up);
}

}  // namespace

Result<double> vtep_floor_on(const Testbed& bed) {
  const std::string pin = bed.run_dir() + "/floor-vtep";
  auto node = bed.netns().open_session();
  if (!node) return fail(std::move(node.error()));
  const auto start = Clock::now();
  // The kernel lets go of the last one's later.
  static std::uint32_t next = kFloorVni;
  auto made = make_floor_vtep(*node, pin, next++);
  const double took = to_ms(Clock::now() - start);
  if (auto gone = unpin_netns(pin); !gone) return fail(std::move(gone.error()));
  if (!made) return fail(std::move(made.error()));
  if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  return took;
}

Result<FloorTimes> floor_on(const Testbed& bed, std::uint64_t count, AddressMode mode) {
  static std::uint32_t next = 0;
  FloorSpec spec;
  spec.count = count;
  spec.anyip = mode == AddressMode::anyip;
  spec.vtep_path = bed.keeper().vtep_path;
  spec.pin = bed.run_dir() + "/floor";
  spec.port = "floor" + std::to_string(next);
  spec.port_index = 0x300000 + next++;
  auto bridge = bridge_index(bed);
  if (!bridge) return fail(std::move(bridge.error()));
  spec.bridge_index = *bridge;
  spec.mtu = bed.keeper().mtu.value();
  auto took = floor_create(spec);
  auto gone = floor_delete(spec);
  if (!took) return took;
  if (!gone) return fail(std::move(gone.error()));
  if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  return took;
}

}  // namespace particle::bench
