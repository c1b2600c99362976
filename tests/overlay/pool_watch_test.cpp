// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <poll.h>

#include <particle/pool_watch.hpp>

#include "netns/pool_scene.hpp"

namespace particle::test {
namespace {

/// Has anything happened to the pools since the last call?
bool woken(PoolWatch& watch) {
  bool any = false;
  for (;;) {
    pollfd event{.fd = watch.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&event, 1, 50) == 0) return any;
    any = must(watch.acknowledge()) || any;
  }
}

}  // namespace

TEST_CASE(
    "pool watch: wakes up for pools, from before there is a directory on, and not for leases") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolWatch watch = must(PoolWatch::open(scene.a.directory()));
  CHECK_FALSE(woken(watch));
  PoolSpec spec = pool_spec("p", "acme", 7911, {"10.1.0.0/24"});
  spec.underlay.device = kUnderlayDevice;
  spec.count = 10;
  must(scene.a.create_pool(spec));
  CHECK(woken(watch));
  must(scene.a.lease(wish("p", "c1", 3)));
  must(scene.a.release("p", "c1"));
  must(scene.a.inspect_pool("p"));
  CHECK_FALSE(woken(watch));
  ResizeSpec larger;
  larger.count = 20;
  must(scene.a.resize_pool("p", larger));
  CHECK(woken(watch));
  PoolSpec second = spec;
  second.name = "q";
  second.blocks = {block("10.1.1.0/24")};
  must(scene.a.create_pool(second));
  CHECK(woken(watch));
  must(scene.a.delete_pool("q"));
  CHECK(woken(watch));
  // The last one takes the directory with it, and another one brings it back.
  must(scene.a.delete_pool("p"));
  CHECK(woken(watch));
  must(scene.a.create_pool(spec));
  CHECK(woken(watch));
  // Another node's pools are not this one's.
  spec.underlay = {};
  spec.underlay.device = kUnderlayDevice;
  must(scene.b.create_pool(spec));
  CHECK_FALSE(woken(watch));
}

}  // namespace particle::test
