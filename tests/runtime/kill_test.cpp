// SPDX-License-Identifier: Apache-2.0
/// particle-runc killed at any point: what follows finds nothing held.
#include <csignal>
#include <filesystem>

#include <unistd.h>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"
#include "runtime/engine.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// A killed runc leaves control groups behind, with or without the wrapper.
void remove_control_groups(const std::string& id) {
  std::error_code none;
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", none)) {
    ::rmdir((hierarchy.path() / id).c_str());
  }
}

struct KillScene : Scene {
  Runtime runtime;
  std::string id = unique_name();
  std::string bundle;
  std::string before;

  KillScene() : runtime(nodes.a, dir.path(), dir.path(), component("runc")) {
    must(a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/24"})));
    BundleSpec spec;
    spec.annotations = {{"io.particle.pool", "acme"}};
    bundle = runtime.make_bundle("c", spec);
    before = read_text(bundle + "/config.json");
  }
  ~KillScene() {
    static_cast<void>(runtime.call({"delete", "--force", id}));
    static_cast<void>(a.delete_pool("acme", true));
    remove_control_groups(id);
  }
  KillScene(const KillScene&) = delete;
  KillScene& operator=(const KillScene&) = delete;

  /// Starts a call of the wrapper and kills it after a while.
  void kill_after(std::chrono::microseconds delay, const std::vector<std::string>& words) {
    std::vector<std::string> all{"sh", "-c", R"(exec "$@" >/dev/null 2>&1)", "sh"};
    for (const auto& word : runtime.words(words)) all.push_back(word);
    Command call(all, &nodes.a);
    std::this_thread::sleep_for(delay);
    call.signal(SIGKILL);
    static_cast<void>(call.finish());
  }

  void check_nothing_held() {
    CHECK(must(a.leases()).empty());
    // The node's directory may be there without a container's in it.
    CHECK(entries_in(runtime.state_directory() + "/" + a.id()) == 0);
    CHECK(read_text(bundle + "/config.json") == before);
    CHECK_FALSE(fs::exists(runtime.root() + "/" + id));
  }
};

TEST_CASE("particle-runc: create killed at any point, then delete: nothing is held") {
  if (!need_components({"runc", "busybox"})) return;
  KillScene scene;
  for (int delay = 0; delay < 60; delay += 2) {
    CAPTURE(delay);
    scene.kill_after(std::chrono::milliseconds(delay),
                     {"create", "--bundle", scene.bundle, scene.id});
    static_cast<void>(scene.runtime.call({"delete", "--force", scene.id}));
    scene.check_nothing_held();
    remove_control_groups(scene.id);
  }
}

TEST_CASE("particle-runc: create killed at any point, then the same create: one lease") {
  if (!need_components({"runc", "busybox"})) return;
  KillScene scene;
  for (int delay = 1; delay < 40; delay += 3) {
    CAPTURE(delay);
    scene.kill_after(std::chrono::milliseconds(delay),
                     {"create", "--bundle", scene.bundle, scene.id});
    // Where runc had made the container already, a second one of its name is refused, as it should be;
    // and until the last process of the killed runc is gone, runc refuses its control group.
    const std::vector<std::string> create{"create", "--bundle", scene.bundle, scene.id};
    CHECK(eventually([&] {
      return fs::exists(scene.runtime.root() + "/" + scene.id) ||
             scene.runtime.call_quietly(create).exit_code == 0;
    }));
    CHECK(must(scene.a.leases()).size() == 1);
    static_cast<void>(scene.runtime.call({"delete", "--force", scene.id}));
    scene.check_nothing_held();
    remove_control_groups(scene.id);
  }
}

TEST_CASE("particle-runc: delete killed at any point, then delete: nothing is held") {
  if (!need_components({"runc", "busybox"})) return;
  KillScene scene;
  for (int delay = 0; delay < 40; delay += 4) {
    CAPTURE(delay);
    REQUIRE(scene.runtime.call_quietly({"create", "--bundle", scene.bundle, scene.id}).exit_code ==
            0);
    scene.kill_after(std::chrono::milliseconds(delay), {"delete", "--force", scene.id});
    static_cast<void>(scene.runtime.call({"delete", "--force", scene.id}));
    scene.check_nothing_held();
    remove_control_groups(scene.id);
  }
}

}  // namespace
}  // namespace particle::test
