// SPDX-License-Identifier: Apache-2.0
// What callers that lease often ask of a node: a pool's record, and how many leases it has.
#include <doctest/doctest.h>

#include "pool_scene.hpp"

namespace particle::test {

TEST_CASE("pool find: it says what inspect says, without the kernel's view") {
  if (!need_namespaces()) return;
  const Scene scene;
  CHECK(scene.a.find_pool("p").error().kind() == Errc::not_found);
  CHECK(must(scene.a.count_leases("p")) == 0);
  CHECK(scene.a.count_leases("a/b").error().kind() == Errc::invalid_argument);
  PoolSpec spec = pool_spec("p", "acme", 7901, {"10.1.0.0/24", "fd00:1::/64"});
  spec.count = 4;
  spec.cooldown = std::chrono::milliseconds(0);
  const PoolInfo inspected = make_pool(scene.a, spec);
  const PoolInfo found = must(scene.a.find_pool("p"));
  CHECK(found.tenant == "acme");
  CHECK(found.blocks == inspected.blocks);
  CHECK(found.mac == inspected.mac);
  CHECK(found.mtu == inspected.mtu);
  CHECK(found.netns_path == inspected.netns_path);
  CHECK(found.underlay_device == inspected.underlay_device);
  CHECK(found.vtep == inspected.vtep);

  must(scene.a.lease(wish("p", "c1", 3)));
  CHECK(must(scene.a.count_leases("p")) == 3);
  must(scene.a.release("p", "c1"));
  CHECK(must(scene.a.count_leases("p")) == 0);
}

}  // namespace particle::test
