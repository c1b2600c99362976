// SPDX-License-Identifier: Apache-2.0
/// particle-runc under a real dockerd: `docker run --runtime particle`.
#include <filesystem>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"
#include "runtime/engine.hpp"

namespace particle::test {
namespace {

TEST_CASE(
    "docker: containers of a pool have its addresses, in one namespace that Docker leaves alone") {
  if (!need_components({"dockerd", "docker", "containerd", "runc", "tini-static", "busybox"}))
    return;
  Scene scene;
  must(scene.a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/28", "fd00:1::/124"})));
  must(scene.a.create_pool(pool_spec("blue", "blue", 43, {"10.2.0.0/28"})));
  {
    const Docker docker(scene.nodes.a, scene.dir.file("docker"), scene.dir.path());
    REQUIRE(docker.call({"load", "--input", make_image(scene.dir.path())}).exit_code == 0);
    for (const auto& [id, pool] :
         {std::pair("c1", "acme"), std::pair("c2", "acme"), std::pair("other", "blue")}) {
      const CommandResult ran = docker.run(id, pool, greeter(id));
      REQUIRE_MESSAGE(ran.exit_code == 0, ran.err);
    }
    const auto leases = must(scene.a.leases("acme"));
    REQUIRE(leases.size() == 2);
    CHECK(eventually([&] {
      return docker.call({"exec", "c1", "greeter", "ask", "10.1.0.2"}).out == "c2" &&
             docker.call({"exec", "c2", "greeter", "ask", "10.1.0.1"}).out == "c1";
    }));
    CHECK(docker.call({"exec", "other", "greeter", "ask", "10.1.0.1"}).out.empty());
    // What Docker's own hook would have done to the pool: IPv6 off, lo touched.
    CHECK(must(scene.a.inspect_pool("acme")).problems.empty());
    const std::string devices = docker.call({"exec", "c1", "ip", "address"}).out;
    CHECK(devices.find("fd00:1::1/128") != std::string::npos);
    // The engine's hosts file, and the address where Docker has none to tell.
    const std::string hosts = docker.call({"exec", "c1", "cat", "/etc/hosts"}).out;
    CHECK(hosts.find("localhost") != std::string::npos);
    CHECK(hosts.find("10.1.0.1\t") != std::string::npos);

    CHECK(docker.call({"restart", "--time", "0", "c1"}).exit_code == 0);
    CHECK(must(scene.a.leases("acme")).size() == 2);
    CHECK(docker.call({"rm", "--force", "c1", "c2", "other"}).exit_code == 0);
  }
  CHECK(must(scene.a.leases()).empty());
  CHECK_FALSE(std::filesystem::exists(scene.dir.file("runtime")));
  CHECK(must(scene.a.inspect_pool("acme")).problems.empty());
  must(scene.a.delete_pool("acme"));
  must(scene.a.delete_pool("blue"));
}

}  // namespace
}  // namespace particle::test
