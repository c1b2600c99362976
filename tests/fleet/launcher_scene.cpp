// SPDX-License-Identifier: Apache-2.0
#include "launcher_scene.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "netns/pool_scene.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// Control groups whose name has `part`, in every hierarchy.
std::vector<std::string> groups_with(const std::string& part) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (auto it = fs::recursive_directory_iterator("/sys/fs/cgroup", ignored);
       it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    if (it.depth() > 2) it.disable_recursion_pending();
    if (it->path().filename().string().find(part) != std::string::npos) found.push_back(it->path());
  }
  return found;
}

}  // namespace

BusyboxImage::BusyboxImage() {
  std::array<char, 64> name{"/tmp/particle-test-image-XXXXXX"};
  path_ = ::mkdtemp(name.data());
  for (const char* directory : {"/bin", "/etc", "/root", "/srv"}) {
    fs::create_directory(path_ + directory);
  }
  fs::permissions(path_, fs::perms(0755));
  fs::copy_file("/usr/bin/busybox", path_ + "/bin/busybox");
  for (const char* applet : {"sh", "true", "false", "cat", "echo", "sleep", "nc", "id", "ls", "ps",
                             "mount", "hostname", "ip", "kill", "dd", "grep", "touch", "test"}) {
    fs::create_symlink("busybox", path_ + "/bin/" + applet);
  }
  std::ofstream(path_ + "/etc/passwd") << "root:x:0:0:root:/root:/bin/sh\n";
}

BusyboxImage::~BusyboxImage() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

LauncherScene::LauncherScene(std::uint64_t endpoints) : nodes_(make_two_nodes()) {
  node_.emplace(open_node(nodes_.a, dir_.path()));
  PoolSpec spec = pool_spec("job", "acme", 41, {"10.50.0.0/16"});
  spec.count = endpoints;
  spec.mode = AddressMode::anyip;
  spec.cooldown = 10ms;
  must(node_->create_pool(spec));
}

LauncherScene::~LauncherScene() {
  CHECK(must(node_->leases()).empty());
  CHECK(groups_with(node_->id()) == std::vector<std::string>{});
  CHECK(!fs::exists(dir_.path() + "/fleet"));
  for (const PoolInfo& pool : must(node_->list_pools())) must(node_->delete_pool(pool.name, true));
}

fleet::Launcher LauncherScene::open(fleet::LauncherOptions options) const {
  Node node = open_node(nodes_.a, dir_.path());
  return must(fleet::Launcher::open(std::move(node), std::move(options)));
}

fleet::JobSpec LauncherScene::job(std::vector<std::string> command, const std::string& id) const {
  fleet::JobSpec spec;
  spec.id = id;
  spec.pool = "job";
  spec.function.image = image_.path();
  spec.function.command = std::move(command);
  return spec;
}

std::vector<fleet::InstanceSpec> instances(std::uint64_t count) {
  std::vector<fleet::InstanceSpec> out(count);
  for (std::uint64_t i = 0; i < count; ++i) out[i].index = i;
  return out;
}

pid_t spawner_of(const LauncherScene& scene, const std::string& job) {
  std::ifstream file(scene.run_dir() + "/fleet/" + scene.node().id() + "/" + job + "/job.json");
  return nlohmann::json::parse(file).at("spawner").get<pid_t>();
}

bool command_line_has(const std::string& process, const std::string& word) {
  // Not by a stream, whose iterator throws when the process ends meanwhile.
  const UniqueFd file(::open((process + "/cmdline").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text{};
  const ssize_t size = file.valid() ? ::read(file.get(), text.data(), text.size()) : 0;
  return size > 0 && std::string_view(text.data(), static_cast<std::size_t>(size)).find(word) !=
                         std::string_view::npos;
}

std::size_t processes_of(const std::string& word) {
  std::size_t found = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    found += command_line_has(entry.path(), word) ? 1U : 0U;
  }
  return found;
}

void run_job(const LauncherScene& scene, const fleet::JobSpec& job, std::uint64_t count,
             Record& record) {
  const fleet::Launcher launcher = scene.open();
  const auto running = must(launcher.start(job, record));
  must(running->add(instances(count)));
  must(running->finish());
  must(running->wait());
}

}  // namespace particle::test
