// SPDX-License-Identifier: Apache-2.0
/// particle-runc and particle-cni under a real podman.
#include <filesystem>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"
#include "runtime/engine.hpp"
#include "support/skip.hpp"

namespace particle::test {
namespace {

bool need_podman() {
  return need_components({"podman", "conmon", "runc", "tini-static", "busybox"});
}

bool greets(const Podman& podman, const std::string& from, const std::string& address,
            const std::string& name) {
  return podman.call({"exec", from, "greeter", "ask", address}).out == name;
}

TEST_CASE("podman: an annotation puts a container into its pool") {
  if (!need_podman()) return;
  Scene scene;
  must(scene.a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/28"})));
  must(scene.a.create_pool(pool_spec("blue", "blue", 43, {"10.2.0.0/28"})));
  {
    const Podman podman(scene.nodes.a, scene.dir.file("podman"), scene.dir.path());
    REQUIRE(podman.call({"load", "--input", make_image(scene.dir.path())}).exit_code == 0);
    for (const auto& [id, pool] :
         {std::pair("c1", "acme"), std::pair("c2", "acme"), std::pair("other", "blue")}) {
      const std::string annotation = "io.particle.pool=" + std::string(pool);
      const auto ran =
          podman.run(id, {"--network", "none", "--annotation", annotation}, greeter(id));
      REQUIRE_MESSAGE(ran.exit_code == 0, ran.err);
    }
    CHECK(must(scene.a.leases("acme")).size() == 2);
    CHECK(eventually([&] {
      return greets(podman, "c1", "10.1.0.2", "c2") && greets(podman, "c2", "10.1.0.1", "c1");
    }));
    CHECK(podman.call({"exec", "other", "greeter", "ask", "10.1.0.1"}).out.empty());
    CHECK(podman.call({"restart", "--time", "0", "c1"}).exit_code == 0);
    CHECK(must(scene.a.leases("acme")).size() == 2);
    const auto removed = podman.call({"rm", "--force", "--time", "0", "c1", "c2", "other"});
    CHECK_MESSAGE(removed.exit_code == 0, removed.err);
    CHECK(must(scene.a.leases()).empty());
  }
  CHECK_FALSE(std::filesystem::exists(scene.dir.file("runtime")));
  CHECK(must(scene.a.inspect_pool("acme")).problems.empty());
  must(scene.a.delete_pool("acme"));
  must(scene.a.delete_pool("blue"));
}

TEST_CASE(
    "podman: a CNI network of particle-cni makes the pool, and takes it away with the last "
    "container") {
  if (!need_podman()) return;
  const std::string plugin = std::string(PARTICLE_TEST_BIN_DIR) + "/particle-cni";
  if (!std::filesystem::exists(plugin)) return skip("this build has no particle-cni");
  Scene scene;
  {
    const Podman podman(scene.nodes.a, scene.dir.file("podman"), scene.dir.path());
    std::filesystem::create_symlink(plugin, podman.plugins() + "/particle-cni");
    write_text(podman.networks() + "/acme.conflist",
               R"({"cniVersion":"0.4.0","name":"acme","plugins":[{"type":"particle-cni",
                   "tenant":"acme","vni":42,"prefix":"10.1.0.0/28","runDir":")" +
                   scene.dir.path() + R"("}]})");
    REQUIRE(podman.call({"load", "--input", make_image(scene.dir.path())}).exit_code == 0);
    for (const auto* id : {"c1", "c2"}) {
      const auto ran = podman.run(id, {"--network", "acme"}, greeter(id));
      REQUIRE_MESSAGE(ran.exit_code == 0, ran.err);
    }
    CHECK(must(scene.a.leases("acme")).size() == 2);
    CHECK(eventually([&] {
      return greets(podman, "c1", "10.1.0.2", "c2") && greets(podman, "c2", "10.1.0.1", "c1");
    }));
    const auto shown =
        podman.call({"inspect", "--format", "{{.NetworkSettings.Networks.acme.IPAddress}}", "c2"});
    CHECK(shown.out == "10.1.0.2\n");
    const auto removed = podman.call({"rm", "--force", "--time", "0", "c1", "c2"});
    CHECK_MESSAGE(removed.exit_code == 0, removed.err);
  }
  CHECK(must(scene.a.leases()).empty());
  CHECK(must(scene.a.list_pools()).empty());
}

}  // namespace
}  // namespace particle::test
