// SPDX-License-Identifier: Apache-2.0
// Containers with a network namespace of their own as endpoints of a pool of isolation container.
#include <doctest/doctest.h>

#include <filesystem>

#include "pool_crash_support.hpp"
#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

PoolSpec guest_spec(const std::string& name = "p") {
  PoolSpec spec = pool_spec(name, "acme", 7801, {"10.1.0.0/24", "fd00:1::/64"});
  spec.count = 5;
  spec.isolation = Isolation::container;
  spec.cooldown = std::chrono::milliseconds(0);
  return spec;
}

/// A container's namespace at a file, as a runtime makes one.
struct Container {
  std::string path;
  NetNs netns;
};

Container make_container(const Scene& scene, const std::string& name) {
  Container out{scene.dir.file(name), must(create_netns()).netns};
  must(pin_netns(out.netns, out.path));
  return out;
}

LeaseRequest connect(const Container& container, const std::string& holder,
                     const std::string& device = "eth0") {
  LeaseRequest request = wish("p", holder);
  request.guest = particle::Guest{container.path, device, std::nullopt};
  return request;
}

bool has_link(const NetNs& netns, const std::string& name) {
  return run_command({"ip", "link", "show", name}, &netns).exit_code == 0;
}

void check_reaches(const NetNs& from, const Lease& source, const NetNs& to, const Lease& target) {
  const TokenServer server(to, "hello");
  for (const auto& [a, b] : {std::pair(source.endpoint.v4, target.endpoint.v4),
                             std::pair(source.endpoint.v6, target.endpoint.v6)}) {
    // NOLINTNEXTLINE(bugprone-optional-value-conversion): doctest takes what it is given
    REQUIRE(a);
    REQUIRE(b);
    const auto answer = ask(from, *a, *b, server.port(), kTrafficLimit);
    CAPTURE(b->to_string());
    REQUIRE(answer.has_value());
    CHECK(*answer == "hello " + a->to_string());
  }
}

}  // namespace

TEST_CASE("pool guest: two containers are connected under a name of choice and reach each other") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(guest_spec()));
  const Container one = make_container(scene, "one");
  const Container two = make_container(scene, "two");
  const Lease first = must(scene.a.lease(connect(one, "c1"))).front();
  const Lease second = must(scene.a.lease(connect(two, "c2", "net1"))).front();
  CHECK(first.device == "eth0");
  CHECK(second.device == "net1");
  CHECK(first.mac != second.mac);
  const auto shown = as_json({"ip", "-j", "link", "show", "net1"}, two.netns);
  CHECK(shown[0]["address"] == second.mac.to_string());
  CHECK(shown[0]["mtu"] == 1450);
  check_reaches(one.netns, first, two.netns, second);
  check_reaches(two.netns, second, one.netns, first);
  CHECK(must(scene.a.collect_garbage()).empty());
  CHECK(must(scene.a.inspect_pool("p")).leased == 2);
}

TEST_CASE("pool guest: a release takes the device out and leaves the container everything else") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(guest_spec()));
  const Container one = make_container(scene, "one");
  run_ok({"ip", "link", "add", "own0", "type", "bridge"}, one.netns);
  must(scene.a.lease(connect(one, "c1")));
  CHECK(has_link(one.netns, "eth0"));
  must(scene.a.release("p", "c1"));
  CHECK_FALSE(has_link(one.netns, "eth0"));
  CHECK(has_link(one.netns, "own0"));
  CHECK(run_command({"ip", "-6", "route", "show", "table", "local"}, &one.netns).out.find("fd00") ==
        std::string::npos);
  CHECK(must(scene.a.collect_garbage()).empty());
  must(scene.a.delete_pool("p"));
}

TEST_CASE("pool guest: a taken device name is refused and nothing is leased or touched") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(guest_spec()));
  const Container one = make_container(scene, "one");
  run_ok({"ip", "link", "add", "eth0", "type", "bridge"}, one.netns);
  const auto refused = scene.a.lease(connect(one, "c1"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::already_exists);
  CHECK(must(scene.a.count_leases("p")) == 0);
  CHECK(has_link(one.netns, "eth0"));
  CHECK(must(scene.a.collect_garbage()).empty());
}

TEST_CASE("pool guest: a shared pool, several endpoints or a lost namespace are refused") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec shared = guest_spec();
  shared.isolation = Isolation::tenant;
  must(scene.a.create_pool(shared));
  const Container one = make_container(scene, "one");
  CHECK(scene.a.lease(connect(one, "c1")).error().kind() == Errc::invalid_argument);
  must(scene.a.delete_pool("p"));
  must(scene.a.create_pool(guest_spec()));
  LeaseRequest two = connect(one, "c1");
  two.count = 2;
  CHECK(scene.a.lease(two).error().kind() == Errc::invalid_argument);
  LeaseRequest lost = connect(one, "c1");
  lost.guest->netns_path = scene.dir.file("nowhere");
  CHECK(scene.a.lease(lost).error().kind() == Errc::not_found);
  CHECK(must(scene.a.count_leases("p")) == 0);
}

TEST_CASE("pool guest: gc mends a device that was taken down and one that was removed") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(guest_spec()));
  const Container one = make_container(scene, "one");
  const Container two = make_container(scene, "two");
  const Lease first = must(scene.a.lease(connect(one, "c1"))).front();
  const Lease second = must(scene.a.lease(connect(two, "c2", "net1"))).front();
  run_ok({"ip", "link", "del", "net1"}, two.netns);
  run_ok({"ip", "link", "set", "eth0", "down"}, one.netns);
  for (const auto& finding : must(scene.a.collect_garbage())) {
    CAPTURE(finding.object);
    CAPTURE(finding.reason);
    CHECK(finding.action == GcAction::repaired);
  }
  check_reaches(one.netns, first, two.netns, second);
  CHECK(must(scene.a.collect_garbage()).empty());
}

TEST_CASE("pool guest: killed after any step, a release gives back everything") {
  if (!need_namespaces()) return;
  for (std::size_t step = 1; step <= 16; ++step) {
    CAPTURE(step);
    const Scene scene;
    must(scene.a.create_pool(guest_spec()));
    const Container one = make_container(scene, "one");
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ApplyOptions options;
      options.after_step = [&](std::size_t number, std::size_t, const Step&) {
        if (number == step) kill(getpid(), SIGKILL);
      };
      (void)scene.a.lease(connect(one, "c1"), options);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    must(scene.a.release("p", "c1"));
    CHECK_FALSE(has_link(one.netns, "eth0"));
    CHECK(must(scene.a.count_leases("p")) == 0);
    must(scene.a.collect_garbage());
    must(scene.a.lease(connect(one, "c2")));
    CHECK(has_link(one.netns, "eth0"));
    CHECK(must(scene.a.collect_garbage()).empty());
    must(scene.a.delete_pool("p", true));
    if (WIFEXITED(status)) break;  // fewer steps than this
  }
}

}  // namespace particle::test
