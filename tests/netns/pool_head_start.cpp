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
  HeadStart head_start(sysctls, "/nonexistent/vtep");
  head_start.tenant_is_locked();
  const auto made = head_start.take();
  REQUIRE(made->pool.has_value());
  CHECK(made->sysctls == sysctls);
  CHECK_FALSE(made->vtep.has_value());
  CHECK(must(made->pool->netns.inode()) != here);
  CHECK(must(must(NetNs::current()).inode()) == here);
}

TEST_CASE("head start: what it could not make is missing, not an error") {
  if (!need_namespaces()) return;
  HeadStart head_start({{"net/no/such/sysctl", "1"}}, "/nonexistent/vtep");
  CHECK_FALSE(head_start.take()->pool.has_value());
}

TEST_CASE("head start: without the tenant's lock it leaves the VTEP alone") {
  if (!need_namespaces()) return;
  const Scene scene;
  must(scene.a.create_pool(pool_spec("first", "acme", 7, {"10.1.0.0/24"})));
  const std::string pin = scene.a.directory() + "/tenants/acme/vtep";
  HeadStart unlocked({}, pin);
  const auto without = unlocked.take();
  CHECK(without->pool.has_value());
  CHECK_FALSE(without->vtep.has_value());
  // With it the VTEP is opened, unless the lock came too late, as on a busy machine it may.
  bool opened = false;
  for (int attempt = 0; attempt < 100 && !opened; ++attempt) {
    HeadStart locked({}, pin);
    locked.tenant_is_locked();
    opened = locked.take()->vtep.has_value();
  }
  CHECK(opened);
}

TEST_CASE("head start: dropped unused, it leaves no thread and no descriptor") {
  if (!need_namespaces()) return;
  const FdLeak fds;
  const auto threads = threads_of_this_process();
  {
    const HeadStart dropped({}, "/nonexistent/vtep");
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
