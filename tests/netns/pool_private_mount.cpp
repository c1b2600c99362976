// SPDX-License-Identifier: Apache-2.0
// `ip netns exec` runs its command in a mount namespace of its own, which ends with the command.
#include <doctest/doctest.h>

#include <filesystem>
#include <iostream>

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

/// Runs `work` as a command under `ip netns exec` runs: a process of its own, in `netns`, with
/// private mounts that are slaves of ours.
template <class Work>
bool as_under_ip_netns_exec(const NetNs& netns, const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    bool ok = false;
    try {
      ok = setns(netns.fd(), CLONE_NEWNET) == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) == 0 && work();
    } catch (const std::exception& error) {
      std::cerr << error.what() << '\n';
    }
    _exit(ok ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

PoolSpec outlasting_spec() {
  PoolSpec spec = pool_spec("p", "acme", 7801, {"10.1.1.0/24", "fd00:1:1::/64"});
  spec.count = 4;
  return spec;
}

void check_usable(const Scene& scene) {
  const PoolInfo info = must(scene.a.inspect_pool("p"));
  CHECK(info.health == PoolHealth::ready);
  CHECK(info.problems == std::vector<std::string>{});
  // Usable by anybody: `nsenter --net=PIN`.
  const NetNs netns = must(NetNs::open_path(info.netns_path));
  const TokenServer server(netns, "still here");
  for (const Family family : kFamilies) {
    const IpAddress address = endpoint(info, family, 2);
    CHECK(must(ask(netns, address, address, server.port())) == "still here " + address.to_string());
  }
}

}  // namespace

TEST_CASE("pool mounts: a pool made under ip netns exec outlives the command") {
  if (!need_namespaces()) return;
  const Scene scene;
  REQUIRE(as_under_ip_netns_exec(scene.nodes.a, [&] {
    const Node node = must(Node::open({scene.dir.path()}));
    return node.create_pool(outlasting_spec()).has_value();
  }));
  check_usable(scene);
  must(scene.a.delete_pool("p"));
  CHECK(std::filesystem::is_empty(scene.dir.path()));
}

TEST_CASE("pool mounts: under ip netns exec a pool made outside is repaired and deleted") {
  if (!need_namespaces()) return;
  const Scene scene;
  make_pool(scene.a, outlasting_spec());
  REQUIRE(umount2(must(scene.a.inspect_pool("p")).netns_path.c_str(), MNT_DETACH) == 0);
  REQUIRE(as_under_ip_netns_exec(scene.nodes.a, [&] {
    const Node node = must(Node::open({scene.dir.path()}));
    return must(node.create_pool(outlasting_spec())).outcome.changed &&
           must(node.inspect_pool("p")).health == PoolHealth::ready &&
           node.lease(wish("p", "c")).has_value();
  }));
  check_usable(scene);
  REQUIRE(as_under_ip_netns_exec(scene.nodes.a, [&] {
    return must(Node::open({scene.dir.path()})).delete_pool("p", true).has_value();
  }));
  CHECK(std::filesystem::is_empty(scene.dir.path()));
}

TEST_CASE("pool mounts: a container's namespace leased under ip netns exec outlives the command") {
  if (!need_namespaces()) return;
  const Scene scene;
  PoolSpec spec = outlasting_spec();
  spec.isolation = Isolation::container;
  make_pool(scene.a, spec);
  REQUIRE(as_under_ip_netns_exec(scene.nodes.a, [&] {
    const Node node = must(Node::open({scene.dir.path()}));
    return must(node.lease(wish("p", "c", 2))).size() == 2;
  }));
  const auto leases = must(scene.a.leases("p"));
  REQUIRE(leases.size() == 2);
  const NetNs one = must(NetNs::open_path(leases[0].netns_path));
  const NetNs two = must(NetNs::open_path(leases[1].netns_path));
  const TokenServer server(two, "two");
  CHECK(must(ask(one, {}, *leases[1].endpoint.v4, server.port())) ==
        "two " + leases[0].endpoint.v4->to_string());
  CHECK(must(scene.a.release("p", "c")).size() == 2);
  CHECK_FALSE(std::filesystem::exists(leases[0].netns_path));
}

}  // namespace particle::test
