// SPDX-License-Identifier: Apache-2.0
#include "support/floor_on_bed.hpp"

#include <net/if.h>

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

}  // namespace

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
