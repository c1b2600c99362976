// SPDX-License-Identifier: Apache-2.0
// Leases as a node hands them out.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "pool_scene.hpp"

namespace particle::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

PoolSpec small_spec(const std::string& name = "p", std::uint64_t count = 4) {
  PoolSpec spec = pool_spec(name, "acme", 7501, {"10.1.0.0/24", "fd00:1::/64"});
  if (name != "p") spec.blocks = {block("10.2.0.0/24"), block("fd00:2::/64")};
  spec.count = count;
  spec.cooldown = milliseconds(0);
  return spec;
}

LeaseRequest patient(const std::string& pool, const std::string& holder, milliseconds wait) {
  LeaseRequest request = wish(pool, holder);
  request.wait = wait;
  return request;
}

LeaseRequest bound_to(const std::string& pool, const std::string& holder, pid_t process) {
  LeaseRequest request = wish(pool, holder);
  request.process = process;
  return request;
}

Errc kind_of(const Result<std::vector<Lease>>& result) {
  REQUIRE_FALSE(result);
  return result.error().kind();
}

}  // namespace

TEST_CASE("pool lease: it names the endpoint's addresses and the namespace to enter") {
  if (!need_namespaces()) return;
  const Scene scene;
  const PoolInfo info = make_pool(scene.a, small_spec());
  const auto leases = must(scene.a.lease(wish("p", "c1")));
  REQUIRE(leases.size() == 1);
  const Lease& lease = leases.front();
  CHECK(lease.pool == "p");
  CHECK(lease.holder == "c1");
  CHECK(lease.endpoint.v4 == ip("10.1.0.1"));
  CHECK(lease.endpoint.v6 == ip("fd00:1::1"));
  CHECK(lease.netns_path == info.netns_path);
  CHECK(must(must(NetNs::open_path(lease.netns_path)).inode()) == info.netns_inode);
  CHECK(must(scene.a.inspect_pool("p")).leased == 1);
}

TEST_CASE("pool lease: a batch is all or nothing") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec());
  const auto batch = must(scene.a.lease(wish("p", "c1", 3)));
  std::set<std::string> endpoints;
  for (const Lease& lease : batch) endpoints.insert(lease.endpoint.to_string());
  CHECK(endpoints.size() == 3);
  CHECK(kind_of(scene.a.lease(wish("p", "c2", 2))) == Errc::exhausted);
  CHECK(must(scene.a.inspect_pool("p")).leased == 3);
  CHECK(must(scene.a.lease(wish("p", "c2"))).size() == 1);
  CHECK(kind_of(scene.a.lease(wish("p", "c2"))) == Errc::exhausted);
}

TEST_CASE("pool lease: a named address is given to one holder, to whom it may be said again") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec());
  for (const char* text : {"10.1.0.3", "fd00:1::3"}) {
    const auto leases = must(scene.a.lease(named("p", "c1", ip(text))));
    REQUIRE(leases.size() == 1);
    CHECK(leases.front().endpoint.v4 == ip("10.1.0.3"));
    CHECK(leases.front().endpoint.v6 == ip("fd00:1::3"));
  }
  CHECK(must(scene.a.leases("p")).size() == 1);
  const auto taken = scene.a.lease(named("p", "c2", ip("10.1.0.3")));
  CHECK(kind_of(taken) == Errc::busy);
  CHECK(taken.error().message().find("c1") != std::string::npos);
  CHECK(taken.error().message().find("10.1.0.3") != std::string::npos);
}

TEST_CASE("pool lease: what cannot be leased is refused") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec());
  const auto ask_for = [&](const LeaseRequest& request) { return kind_of(scene.a.lease(request)); };
  CHECK(ask_for(wish("nobody", "c")) == Errc::not_found);
  CHECK(ask_for(wish("p", "")) == Errc::invalid_argument);
  CHECK(ask_for(wish("p", "a b")) == Errc::invalid_argument);
  CHECK(ask_for(wish("p", "c", 0)) == Errc::invalid_argument);
  CHECK(ask_for(wish("p", "c", 5)) == Errc::exhausted);
  CHECK(ask_for(named("p", "c", ip("10.1.0.5"))) == Errc::invalid_argument);
  CHECK(ask_for(named("p", "c", ip("10.9.0.1"))) == Errc::invalid_argument);
  LeaseRequest both = named("p", "c", ip("10.1.0.1"));
  both.count = 2;
  CHECK(ask_for(both) == Errc::invalid_argument);
  CHECK(ask_for(bound_to("p", "c", 0x3FFFFFFF)) == Errc::not_found);
  CHECK(must(scene.a.leases()).empty());
}

TEST_CASE("pool lease: a caller that does not accept the pool leases nothing in it") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec spec = small_spec();
  spec.cooldown = std::chrono::hours(1);
  const PoolInfo made = make_pool(scene.a, spec);
  LeaseRequest request = wish("p", "c1");
  std::vector<PoolInfo> asked;
  request.accept = [&](const PoolInfo& pool) -> Result<void> {
    asked.push_back(pool);
    if (asked.size() > 1) return {};
    return fail(Error::of(Errc::conflict, "not this one"));
  };
  const auto refused = scene.a.lease(request);
  CHECK(kind_of(refused) == Errc::conflict);
  CHECK(refused.error().operation == "not this one");
  const PoolInfo still = must(scene.a.inspect_pool("p"));
  CHECK(still.leased == 0);
  CHECK(still.cooling == 0);
  CHECK(must(scene.a.lease(request)).size() == 1);
  REQUIRE(asked.size() == 2);
  CHECK(asked.front().tenant == made.tenant);
  CHECK(asked.front().vtep == made.vtep);
  CHECK(asked.front().underlay_device == made.underlay_device);
  request.pool = "nobody";
  CHECK(kind_of(scene.a.lease(request)) == Errc::not_found);
  CHECK(asked.size() == 2);
}

TEST_CASE("pool lease: listed by pool and by holder") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec());
  make_pool(scene.a, small_spec("q"));
  must(scene.a.lease(wish("p", "c1", 2)));
  must(scene.a.lease(wish("p", "c2")));
  must(scene.a.lease(wish("q", "c1")));
  CHECK(must(scene.a.leases()).size() == 4);
  CHECK(must(scene.a.leases("p")).size() == 3);
  CHECK(must(scene.a.leases({}, "c1")).size() == 3);
  CHECK(must(scene.a.leases("p", "c1")).size() == 2);
  CHECK(must(scene.a.leases("p", "nobody")).empty());
  CHECK(kind_of(scene.a.leases("nobody")) == Errc::not_found);
  CHECK(must(scene.b.leases()).empty());
  for (const Lease& lease : must(scene.a.leases("q"))) {
    CHECK(lease.netns_path == must(scene.a.inspect_pool("q")).netns_path);
    CHECK(lease.endpoint.v4 == ip("10.2.0.1"));
  }
}

TEST_CASE("pool lease: released by holder or by address, and nothing held is no error") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec());
  CHECK(must(scene.a.release("p", "c1")).empty());
  must(scene.a.lease(wish("p", "c1", 3)));
  const auto one = must(scene.a.release("p", "c1", ip("fd00:1::2")));
  REQUIRE(one.size() == 1);
  CHECK(one.front().endpoint.v4 == ip("10.1.0.2"));
  CHECK(must(scene.a.release("p", "c2", ip("10.1.0.1"))).empty());
  CHECK(must(scene.a.leases("p")).size() == 2);
  CHECK(must(scene.a.release("p", "c1")).size() == 2);
  CHECK(must(scene.a.release("p", "c1")).empty());
  CHECK(kind_of(scene.a.release("p", "c1", ip("10.9.0.1"))) == Errc::invalid_argument);
  CHECK(kind_of(scene.a.release("nobody", "c1")) == Errc::not_found);
}

TEST_CASE(
    "pool lease: a released endpoint rests before it is given again, and one may wait for it") {
  if (!need_namespaces()) return;
  constexpr milliseconds kRest{400};
  const Scene scene;
  PoolSpec spec = small_spec("p", 1);
  spec.cooldown = kRest;
  make_pool(scene.a, spec);
  must(scene.a.lease(wish("p", "c1")));
  const auto released = steady_clock::now();
  must(scene.a.release("p", "c1"));
  CHECK(must(scene.a.inspect_pool("p")).cooling == 1);
  CHECK(kind_of(scene.a.lease(wish("p", "c2"))) == Errc::busy);
  CHECK(kind_of(scene.a.lease(named("p", "c2", ip("10.1.0.1")))) == Errc::busy);
  CHECK(kind_of(scene.a.lease(patient("p", "c2", milliseconds(20)))) == Errc::busy);
  REQUIRE(steady_clock::now() - released < kRest);
  const auto leases = must(scene.a.lease(patient("p", "c2", milliseconds(10000))));
  CHECK(leases.size() == 1);
  CHECK(steady_clock::now() - released >= kRest);
  CHECK(must(scene.a.inspect_pool("p")).cooling == 0);
}

TEST_CASE("pool lease: waiting does not help when everything is held") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec("p", 1));
  must(scene.a.lease(wish("p", "c1")));
  const auto begin = steady_clock::now();
  CHECK(kind_of(scene.a.lease(patient("p", "c2", milliseconds(10000)))) == Errc::exhausted);
  CHECK(steady_clock::now() - begin < milliseconds(5000));
}

TEST_CASE("pool lease: gc releases what is bound to a process that is gone, and nothing else") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec());
  Command process({"sleep", "1000"});
  const auto bound = must(scene.a.lease(bound_to("p", "bound", process.pid())));
  CHECK(bound.front().process == process.pid());
  must(scene.a.lease(wish("p", "free")));
  CHECK(must(scene.a.collect_garbage()).empty());
  CHECK(must(scene.a.leases("p")).size() == 2);
  process.signal(SIGKILL);
  process.finish();

  const auto rehearsed = must(scene.a.collect_garbage({.dry_run = true, .holder_alive = {}}));
  CHECK(rehearsed.size() == 1);
  CHECK(must(scene.a.leases("p")).size() == 2);
  const auto findings = must(scene.a.collect_garbage());
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().action == GcAction::released);
  const auto left = must(scene.a.leases("p"));
  REQUIRE(left.size() == 1);
  CHECK(left.front().holder == "free");
  CHECK(must(scene.a.collect_garbage()).empty());
}

TEST_CASE("pool lease: gc asks the caller which holders live") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec());
  must(scene.a.lease(wish("p", "gone", 2)));
  must(scene.a.lease(wish("p", "here")));
  GcOptions options;
  options.holder_alive = [](const Lease& lease) { return lease.holder == "here"; };
  CHECK(must(scene.a.collect_garbage(options)).size() == 2);
  CHECK(must(scene.a.leases("p", "gone")).empty());
  CHECK(must(scene.a.leases("p", "here")).size() == 1);
}

TEST_CASE("pool lease: a pool with leases is deleted by force only, and takes them with it") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, small_spec());
  make_pool(scene.a, small_spec("q"));
  must(scene.a.lease(wish("p", "c1")));
  must(scene.a.lease(wish("q", "c1")));
  const auto refused = scene.a.delete_pool("p");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(said(refused.error().details).find("c1") != std::string::npos);
  CHECK(must(scene.a.inspect_pool("p")).health == PoolHealth::ready);
  must(scene.a.delete_pool("p", true));
  CHECK(must(scene.a.leases()).size() == 1);
  make_pool(scene.a, small_spec());
  CHECK(must(scene.a.leases("p")).empty());
}

}  // namespace particle::test
