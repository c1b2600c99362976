// SPDX-License-Identifier: Apache-2.0
/// The namespace that a create makes while it reads and plans: used once, or gone without a trace.
#include <doctest/doctest.h>

#include <filesystem>

#include "pool/head_start.hpp"
#include "pool_scene.hpp"
#include "support/fd_leak.hpp"

namespace particle::test {
namespace {

std::ptrdiff_t threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

}  // namespace

TEST_CASE(
    "head start: it makes a namespace with the sysctls, and finds no VTEP where there is none") {
  if (!need_namespaces()) return;
  const auto here = must(must(NetNs::current()).inode());
  const std::vector<Sysctl> sysctls{{"net/ipv4/ip_forward", "0"}};
  HeadStart head_start;
  head_start.furnish(sysctls, "/nonexistent/vtep");
  const auto made = head_start.take();
  REQUIRE(made.pool.has_value());
  CHECK(made.sysctls == sysctls);
  CHECK_FALSE(made.vtep.has_value());
  CHECK(must(made.pool->netns.inode()) != here);
  CHECK(must(must(NetNs::current()).inode()) == here);
}

TEST_CASE("head start: what it could not make is missing, not an error") {
  if (!need_namespaces()) return;
  HeadStart head_start;
  head_start.furnish({{"net/no/such/sysctl", "1"}}, "/nonexistent/vtep");
  CHECK_FALSE(head_start.take().pool.has_value());
}

TEST_CASE("head start: it opens the VTEP that is told") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(pool_spec("first", "acme", 7, {"10.1.0.0/24"})));
  HeadStart head_start;
  head_start.furnish({}, scene.a.directory() + "/tenants/acme/vtep");
  const auto made = head_start.take();
  REQUIRE(made.vtep.has_value());
  const auto vtep = must(scene.a.open_vtep_netns("acme"));
  CHECK(must(made.vtep->netns.inode()) == must(vtep.inode()));
}

TEST_CASE("head start: its thread does one thing more, and tells how that went") {
  if (!need_namespaces()) return;
  HeadStart head_start;
  head_start.furnish({}, "/nonexistent/vtep");
  const auto made = head_start.take();
  REQUIRE(made.pool.has_value());
  std::uint64_t where = 0;
  head_start.go_on([&]() -> Result<void> {
    where = must(must(NetNs::current()).inode());
    return fail(Error::of(Errc::io, "the work's own error"));
  });
  const auto outcome = head_start.finish();
  CHECK(where == must(made.pool->netns.inode()));
  REQUIRE_FALSE(outcome.has_value());
  CHECK(outcome.error().operation == "the work's own error");
  CHECK(head_start.finish().has_value());
}

TEST_CASE("head start: dropped unused, it leaves no thread and no descriptor") {
  if (!need_namespaces()) return;
  const FdLeak fds;
  const auto threads = threads_of_this_process();
  {
    const HeadStart dropped;
  }
  {
    HeadStart dropped;
    dropped.furnish({}, "/nonexistent/vtep");
  }
  {
    HeadStart dropped;
    dropped.furnish({}, "/nonexistent/vtep");
    (void)dropped.take();
  }
  CHECK(threads_of_this_process() == threads);
  CHECK(fds.leaked().empty());
}

TEST_CASE("head start: a create that is refused while it runs leaves no thread and no descriptor") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(pool_spec("first", "acme", 7, {"10.1.0.0/24"})));
  const FdLeak fds;
  const auto threads = threads_of_this_process();
  const auto refused = scene.a.create_pool(pool_spec("second", "acme", 7, {"10.1.0.0/25"}));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind() == Errc::conflict);
  CHECK(threads_of_this_process() == threads);
  CHECK(fds.leaked().empty());
}

TEST_CASE("head start: the session that it opened is in the VTEP of the pool's own tenant") {
  if (!need_namespaces()) return;
  const Scene scene;
  for (const char* tenant : {"acme", "zeta"}) {
    for (const char* part : {"one", "two"}) {
      const std::string name = std::string(tenant) + "-" + part;
      const char* block = std::string(part) == "one" ? "10.1.0.0/24" : "10.1.1.0/24";
      const auto made =
          must(scene.a.create_pool(pool_spec(name, tenant, tenant[0] == 'a' ? 7 : 8, {block})));
      const auto vtep = must(scene.a.open_vtep_netns(tenant));
      const auto ports = as_json({"ip", "-j", "link", "show", "master", made.pool.bridge}, vtep);
      CHECK(std::any_of(ports.begin(), ports.end(), [&](const auto& port) {
        return port.value("ifname", "") == made.pool.port;
      }));
    }
  }
}

}  // namespace particle::test
