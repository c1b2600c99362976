// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <stdexcept>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"
#include "runtime/engine.hpp"

namespace particle::test {

Docker::Docker(const NetNs& node, const std::string& directory, const std::string& run_dir)
    : socket_("unix://" + directory + "/docker.sock") {
  std::filesystem::create_directories(directory);
  write_text(directory + "/daemon.json", "{}");
  box_ = std::make_unique<EngineBox>(
      node, directory,
      std::vector<std::string>{component("dockerd"), "--config-file", directory + "/daemon.json",
                               "--data-root", directory + "/data", "--exec-root",
                               directory + "/exec", "--host", socket_, "--pidfile",
                               directory + "/pid", "--bridge=none", "--iptables=false",
                               "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
                               "--add-runtime", "particle=" + wrapper_program()},
      run_dir);
  if (!eventually([&] { return call({"version"}).exit_code == 0; })) {
    throw std::runtime_error("dockerd does not answer:\n" + read_text(directory + "/log"));
  }
}

CommandResult Docker::call(const std::vector<std::string>& words) const {
  std::vector<std::string> all{"docker", "--host", socket_};
  all.insert(all.end(), words.begin(), words.end());
  return box_->run(all);
}

CommandResult Docker::run(const std::string& id, const std::string& pool,
                          const std::vector<std::string>& command) const {
  std::vector<std::string> words{"run",
                                 "--detach",
                                 "--name",
                                 id,
                                 "--runtime",
                                 "particle",
                                 "--network",
                                 "none",
                                 "--env",
                                 "PARTICLE_POOL=" + pool,
                                 "--cgroup-parent",
                                 "/" + box_->name(),
                                 kImage};
  words.insert(words.end(), command.begin(), command.end());
  return call(words);
}

}  // namespace particle::test
