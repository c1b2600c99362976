// SPDX-License-Identifier: Apache-2.0
/// Tenant acme's pool on two nodes that know each other, and tenant blue's on the first.
#pragma once

#include "netns/pool_scene.hpp"

namespace particle::test {

struct TwoNodePools : Scene {
  PoolInfo acme_a;
  PoolInfo acme_b;

  TwoNodePools()
      : acme_a(must(a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/25"}))).pool),
        acme_b(must(b.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.128/25"}))).pool) {
    must(a.create_pool(pool_spec("blue", "blue", 43, {"10.2.0.0/24"})));
    must(a.add_peer(as_peer(acme_b)));
    must(b.add_peer(as_peer(acme_a)));
  }
  ~TwoNodePools() {
    for (const char* name : {"acme", "blue"}) static_cast<void>(a.delete_pool(name, true));
    static_cast<void>(b.delete_pool("acme", true));
  }
  TwoNodePools(const TwoNodePools&) = delete;
  TwoNodePools& operator=(const TwoNodePools&) = delete;
};

}  // namespace particle::test
