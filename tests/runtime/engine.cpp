// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine.hpp"

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <unistd.h>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// In the box, before the daemon: a /run of its own. Mounts made outside still arrive, so that pools
/// made later can be joined. A daemon that ended is started again, as a service manager would; what it
/// started goes on meanwhile.
constexpr const char* kEnter = R"(log=$1; shift; mount -t tmpfs tmpfs /run
exec tini-static -- sh -c 'while :; do "$@"; sleep 0.2; done' sh "$@" >"$log" 2>&1)";

void remove_control_groups(const std::string& name) {
  std::error_code none;
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", none)) {
    const fs::path group = hierarchy.path() / name;
    if (!fs::exists(group, none)) continue;
    for (const auto& left : fs::directory_iterator(group, none)) ::rmdir(left.path().c_str());
    ::rmdir(group.c_str());
  }
}

}  // namespace

std::string unique_name() {
  static std::atomic<int> count = 0;
  return "particle-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

EngineBox::EngineBox(const NetNs& node, std::string name, const std::vector<std::string>& words,
                     const std::string& run_dir, const std::string& log)
    : node_(node), name_(std::move(name)), program_(words.front()), run_dir_(run_dir) {
  std::vector<std::string> all{"env",
                               "PATH=" + component_path(),
                               "LD_LIBRARY_PATH=" + component_library_path(),
                               "PARTICLE_RUN_DIR=" + run_dir,
                               "PARTICLE_RUNC=" + component("runc"),
                               "unshare",
                               "--mount",
                               "--propagation=slave",
                               "--pid",
                               "--fork",
                               "--kill-child=SIGKILL",
                               "--mount-proc",
                               "sh",
                               "-c",
                               kEnter,
                               "sh",
                               log};
  all.insert(all.end(), words.begin(), words.end());
  daemon_ = std::make_unique<Command>(all, &node_);
}

EngineBox::~EngineBox() {
  const pid_t first = first_process();
  if (first > 0) ::kill(first, SIGKILL);
  daemon_.reset();
  // The kernel ends everything in the box before its first process is gone.
  eventually([first] { return first <= 0 || ::kill(first, 0) != 0; });
  remove_control_groups(name_);
}

pid_t EngineBox::first_process() const {
  const std::string pid = std::to_string(daemon_->pid());
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  pid_t child = 0;
  children >> child;
  return child;
}

CommandResult EngineBox::run(const std::vector<std::string>& words) const {
  std::vector<std::string> all{"nsenter", "--target", std::to_string(first_process()), "--mount",
                               "--pid",   "env",      "PATH=" + component_path()};
  all.insert(all.end(), words.begin(), words.end());
  return run_command(all, &node_);
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
