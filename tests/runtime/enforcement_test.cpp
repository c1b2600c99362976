// SPDX-License-Identifier: Apache-2.0
/// The seam for bind enforcement: called with the endpoint before the container exists, and after it.
#include <filesystem>

#include "runtime/bundle_scene.hpp"
#include "runtime/call.hpp"
#include "runtime/components.hpp"

namespace particle::test {
namespace {

/// Writes a file into the container's directory and a variable into its environment.
class Marker : public runtime::BindEnforcement {
 public:
  bool refuse = false;
  std::vector<std::string> calls;

  Result<void> prepare(runtime::BundleChanges& bundle,
                       const runtime::EnforcedContainer& container) override {
    const std::string endpoint = container.held.endpoint.to_string();
    calls.push_back("prepare " + endpoint);
    if (refuse) return fail(Error::of(Errc::unsupported, "enforcement"));
    write_text(container.directory + "/marker", container.held.holder);
    bundle.environment.emplace_back("MARKED", endpoint);
    return {};
  }
  Result<void> join(runtime::BundleChanges& /*process*/, const std::string& /*dir*/) override {
    return {};
  }
  Result<void> release(const std::string& directory) override {
    calls.push_back(std::filesystem::exists(directory + "/marker") ? "release" : "release nothing");
    return {};
  }
};

struct EnforcedScene : Scene {
  Marker marker;
  runtime::Call call;

  EnforcedScene() {
    must(a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/28"})));
    const Runtime bundles(nodes.a, dir.path(), dir.path(), component("runc"));
    BundleSpec spec;
    spec.command = {"sh", "-c", "test \"$MARKED\" = 10.1.0.1 && exit 42"};
    spec.annotations = {{"io.particle.pool", "acme"}};
    call.line =
        runtime::read_command_line({"--root", bundles.root(), "--log", dir.file("log"), "run",
                                    "--bundle", bundles.make_bundle("c1", spec), "c1"});
    call.settings.run_dir = dir.path();
    call.runtime = component("runc");
    call.root = bundles.root();
    call.node_id = a.id();
    call.enforcement = &marker;
  }
  ~EnforcedScene() { static_cast<void>(a.delete_pool("acme", true)); }
  EnforcedScene(const EnforcedScene&) = delete;
  EnforcedScene& operator=(const EnforcedScene&) = delete;

  int run() {
    int status = -1;
    must(nodes.a.run([&]() -> Result<void> {
      status = runtime::make_container(call);
      return {};
    }));
    return status;
  }
};

TEST_CASE(
    "particle-runc: enforcement is prepared with the endpoint and released with the container") {
  if (!need_components({"runc", "busybox"})) return;
  EnforcedScene scene;
  CHECK(scene.run() == 42);
  CHECK(scene.marker.calls == std::vector<std::string>{"prepare 10.1.0.1", "release"});
  CHECK_FALSE(std::filesystem::exists(scene.dir.file("runtime")));
}

TEST_CASE("particle-runc: a container whose enforcement cannot be prepared does not run") {
  if (!need_components({"runc", "busybox"})) return;
  EnforcedScene scene;
  scene.marker.refuse = true;
  CHECK(scene.run() == 1);
  CHECK(scene.marker.calls == std::vector<std::string>{"prepare 10.1.0.1", "release nothing"});
  CHECK(must(scene.a.leases()).empty());
  CHECK_FALSE(std::filesystem::exists(scene.dir.file("runtime")));
}

}  // namespace
}  // namespace particle::test
