// SPDX-License-Identifier: Apache-2.0
/// particle-runc under a real containerd, driven by ctr.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"
#include "runtime/engine.hpp"
#include "runtime/two_node_pools.hpp"

namespace particle::test {
namespace {

bool need_containerd() {
  return need_components({"containerd", "ctr", "runc", "tini-static", "busybox"});
}

/// The address that a container was told, by asking a process in it.
std::string address_of(const Containerd& engine, const std::string& id) {
  std::istringstream variables(engine.exec(id, {"env"}));
  for (std::string line; std::getline(variables, line);) {
    if (line.starts_with("PARTICLE_IP=")) return line.substr(12);
  }
  return {};
}

/// The mount points below a directory, in this process's namespace.
std::size_t mounts_below(const std::string& directory) {
  std::istringstream mounts(read_text("/proc/self/mountinfo"));
  std::size_t count = 0;
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" " + directory + "/") != std::string::npos) ++count;
  }
  return count;
}

TEST_CASE(
    "containerd: a pool's containers reach each other on two nodes, another tenant's does not") {
  if (!need_containerd()) return;
  TwoNodePools pools;
  const Containerd on_a(pools.nodes.a, pools.dir.file("a"), pools.dir.path());
  const Containerd on_b(pools.nodes.b, pools.dir.file("b"), pools.dir.path());
  const std::string image = make_image(pools.dir.path());
  on_a.import_image(image);
  on_b.import_image(image);
  const std::size_t mounts = mounts_below(pools.dir.path());

  for (const char* id : {"c1", "c2", "c3"}) {
    const CommandResult ran = on_a.run(id, "acme", greeter(id));
    REQUIRE_MESSAGE(ran.exit_code == 0, ran.err);
  }
  REQUIRE(on_b.run("far", "acme", greeter("far")).exit_code == 0);
  REQUIRE(on_a.run("other", "blue", greeter("other")).exit_code == 0);

  CHECK(must(pools.a.leases("acme")).size() == 3);
  const std::string inode = on_a.exec("c1", {"readlink", "/proc/1/ns/net"});
  CHECK(inode.find("net:[") == 0);
  CHECK(on_a.exec("c2", {"readlink", "/proc/1/ns/net"}) == inode);
  CHECK(on_a.exec("c3", {"readlink", "/proc/1/ns/net"}) == inode);
  CHECK(on_a.exec("other", {"readlink", "/proc/1/ns/net"}) != inode);

  const std::string far = address_of(on_b, "far");
  CHECK(net("10.1.0.128/25").contains(ip(far)));
  std::vector<std::string> addresses;
  for (const char* id : {"c1", "c2", "c3"}) {
    const std::string address = address_of(on_a, id);
    CAPTURE(id);
    CHECK(std::find(addresses.begin(), addresses.end(), address) == addresses.end());
    addresses.push_back(address);
    CHECK(eventually([&] { return on_a.exec("c1", greeting_at(address)) == id; }));
    CHECK(on_b.exec("far", greeting_at(address)) == id);
    CHECK(on_a.exec(id, greeting_at(far)) == "far");
    CHECK(on_a.exec("other", greeting_at(address)).empty());
  }

  for (const char* id : {"c1", "c2", "c3", "other"}) CHECK(on_a.remove(id).empty());
  CHECK(on_b.remove("far").empty());
  CHECK(must(pools.a.leases()).empty());
  CHECK(must(pools.b.leases()).empty());
  CHECK_FALSE(std::filesystem::exists(pools.dir.file("runtime")));
  CHECK(mounts_below(pools.dir.path()) == mounts);
}

TEST_CASE("containerd: a container that cannot be made says why, and leaves no lease") {
  if (!need_containerd()) return;
  TwoNodePools pools;
  const Containerd engine(pools.nodes.a, pools.dir.file("a"), pools.dir.path());
  engine.import_image(make_image(pools.dir.path()));
  const CommandResult nowhere = engine.run("c1", "nowhere", kSleeper);
  CHECK(nowhere.exit_code != 0);
  CHECK(nowhere.err.find("pool nowhere") != std::string::npos);
  static_cast<void>(engine.remove("c1"));
  const CommandResult broken = engine.run("c2", "acme", {"/no/such/program"});
  CHECK(broken.exit_code != 0);
  CHECK(broken.err.find("/no/such/program") != std::string::npos);
  CHECK(must(pools.a.leases()).empty());
  CHECK_FALSE(std::filesystem::exists(pools.dir.file("runtime")));
  static_cast<void>(engine.remove("c2"));
}

TEST_CASE("containerd: containers with and without a pool live side by side") {
  if (!need_containerd()) return;
  TwoNodePools pools;
  const Containerd engine(pools.nodes.a, pools.dir.file("a"), pools.dir.path());
  engine.import_image(make_image(pools.dir.path()));
  REQUIRE(engine.run("plain", "", kSleeper).exit_code == 0);
  REQUIRE(engine.run("c1", "acme", kSleeper).exit_code == 0);
  CHECK(engine.exec("plain", {"env"}).find("PARTICLE") == std::string::npos);
  CHECK(engine.exec("plain", {"readlink", "/proc/1/ns/net"}) !=
        engine.exec("c1", {"readlink", "/proc/1/ns/net"}));
  CHECK(engine.remove("plain").empty());
  CHECK(must(pools.a.leases()).size() == 1);
  CHECK(engine.remove("c1").empty());
  CHECK(must(pools.a.leases()).empty());
}

}  // namespace
}  // namespace particle::test
