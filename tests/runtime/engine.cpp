// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine.hpp"

#include <atomic>
#include <stdexcept>

#include <unistd.h>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"

namespace particle::test {
namespace {

/// In the box, before the daemon: a /run of its own. Mounts made outside still arrive, so that pools
/// made later can be joined. A daemon that ended is started again, as a service manager would; what it
/// started goes on meanwhile.
constexpr const char* kEnter = R"(mount -t tmpfs tmpfs /run
exec tini-static -- sh -c 'while :; do "$@"; sleep 0.2; done' sh "$@")";

}  // namespace

std::string unique_name() {
  static std::atomic<int> count = 0;
  return "particle-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

EngineBox::EngineBox(const NetNs& node, const std::string& directory,
                     const std::vector<std::string>& words, const std::string& run_dir)
    : program_(words.front()),
      box_(must(bench::Box::enter(node, directory, run_dir, kEnter, words))) {}

CommandResult EngineBox::run(const std::vector<std::string>& words) const {
  return run_command(box_.inside(words));
}

void EngineBox::kill_daemon() const {
  // Inside the box nobody else's daemon has the name.
  const CommandResult killed = run({"sh", "-c", R"(kill -KILL $(pidof -s "$1"))", "sh", program_});
  if (killed.exit_code != 0) throw std::runtime_error("kill " + program_ + ": " + killed.err);
}

std::string make_image(const std::string& directory) {
  const std::string made = directory + "/image";
  make_rootfs(made + "/rootfs");
  const auto tar = [&](const std::vector<std::string>& words) {
    std::vector<std::string> all{"tar"};
    all.insert(all.end(), words.begin(), words.end());
    const CommandResult done = run_command(all);
    if (done.exit_code != 0) throw std::runtime_error("tar: " + done.err);
  };
  tar({"-C", made + "/rootfs", "-cf", made + "/layer.tar", "."});
  const std::string digest = run_command({"sha256sum", made + "/layer.tar"}).out.substr(0, 64);
  const nlohmann::json config{{"architecture", "amd64"},
                              {"os", "linux"},
                              {"config", {{"Env", {"PATH=/bin"}}, {"Cmd", kSleeper}}},
                              {"rootfs", {{"type", "layers"}, {"diff_ids", {"sha256:" + digest}}}}};
  write_text(made + "/config.json", config.dump());
  const nlohmann::json manifest = nlohmann::json::array(
      {{{"Config", "config.json"}, {"RepoTags", {kImage}}, {"Layers", {"layer.tar"}}}});
  write_text(made + "/manifest.json", manifest.dump());
  tar({"-C", made, "-cf", directory + "/image.tar", "manifest.json", "config.json", "layer.tar"});
  return directory + "/image.tar";
}

}  // namespace particle::test
