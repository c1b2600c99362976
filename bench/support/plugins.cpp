// SPDX-License-Identifier: Apache-2.0
#include "support/plugins.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include "harness/stats.hpp"
#include "support/processes.hpp"

namespace particle::bench {
namespace {

std::filesystem::path own_directory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

struct Started {
  pid_t pid = 0;
  /// Taken on the thread that is in the node's namespace, which is the harness's to pay for.
  Clock::time_point at;
};

Result<Started> start(const NetNs& node, const std::string& program, const std::string& input,
                      std::vector<std::string> environment) {
  std::string name = program;
  char* argv[] = {name.data(), nullptr};
  std::vector<char*> envp;
  for (auto& variable : environment) envp.push_back(variable.data());
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  Started started;
  int error = 0;
  auto ran = node.run([&]() -> Result<void> {
    started.at = Clock::now();
    error = posix_spawn(&started.pid, argv[0], &actions, nullptr, argv, envp.data());
    return {};
  });
  posix_spawn_file_actions_destroy(&actions);
  if (!ran) return fail(std::move(ran.error()));
  if (error != 0) return fail(Error::from_errno(error, "start " + program));
  return started;
}

}  // namespace

Result<Plugin> Plugin::make(const NetNs& node, std::string program, const std::string& directory,
                            const std::string& configuration) {
  static unsigned next = 0;
  std::string path = directory + "/conf-" + std::to_string(next++);
  std::ofstream file(path);
  file << configuration;
  file.close();
  if (!file) return fail(Error::of(Errc::io, "write " + path));
  return Plugin(node, std::move(program), std::move(path));
}

Result<double> Plugin::call(const std::string& verb, const std::string& container,
                            const std::string& netns) const {
  const auto directory = program_.substr(0, program_.find_last_of('/'));
  auto started =
      start(*node_, program_, path_,
            {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + container, "CNI_NETNS=" + netns,
             "CNI_IFNAME=eth0", "CNI_PATH=" + directory, "PATH=/usr/sbin:/usr/bin:/sbin"});
  if (!started) return fail(std::move(started.error()));
  if (auto done = wait_for(started->pid, program_ + " " + verb); !done)
    return fail(std::move(done.error()));
  return to_ms(Clock::now() - started->at);
}

Result<Containers> Containers::make(const std::string& directory, std::size_t count) {
  Containers made;
  for (std::size_t i = 0; i < count; ++i) {
    auto fresh = create_netns();
    if (!fresh) return fail(std::move(fresh.error()));
    std::string path = directory + "/netns-" + std::to_string(i);
    if (auto pinned = pin_netns(fresh->netns, path); !pinned)
      return fail(std::move(pinned.error()));
    made.paths_.push_back(std::move(path));
  }
  return made;
}

Containers::~Containers() {
  for (const auto& path : paths_) (void)!unpin_netns(path);
}

Result<std::string> find_reference_plugins() {
  std::error_code error;
  const char* given = std::getenv("PARTICLE_COMPONENTS");
  // build/<preset>/bin -> build/components
  const std::filesystem::path components =
      given != nullptr ? given : own_directory() / "../../components";
  const auto path = components / "root/usr/lib/cni";
  if (std::filesystem::exists(path / "bridge", error))
    return std::filesystem::canonical(path, error).string();
  return fail(
      Error::of(Errc::not_found, "the reference CNI plugins",
                "run packaging/components.sh, or set PARTICLE_COMPONENTS to where it unpacked"));
}

Result<std::string> find_particle_cni() {
  if (const char* given = std::getenv("PARTICLE_CNI"); given != nullptr) return std::string(given);
  std::error_code error;
  const auto path = own_directory() / "particle-cni";
  if (std::filesystem::exists(path, error)) return path.string();
  return fail(Error::of(Errc::not_found, "particle-cni beside this program",
                        "build it, or set PARTICLE_CNI to its path"));
}

}  // namespace particle::bench
