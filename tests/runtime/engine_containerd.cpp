// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <stdexcept>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"
#include "runtime/engine.hpp"

namespace particle::test {

Containerd::Containerd(const NetNs& node, const std::string& directory, const std::string& run_dir,
                       const std::string& settings)
    : socket_(directory + "/containerd.sock") {
  std::filesystem::create_directories(directory);
  write_text(directory + "/config.toml",
             "version = 2\nroot = \"" + directory + "/root\"\nstate = \"" + directory +
                 "/state\"\n[grpc]\n  address = \"" + socket_ + "\"\n" + settings);
  box_ = std::make_unique<EngineBox>(
      node, directory,
      std::vector<std::string>{component("containerd"), "--config", directory + "/config.toml"},
      run_dir);
  if (!eventually([&] { return ctr({"version"}).exit_code == 0; })) {
    throw std::runtime_error("containerd does not answer:\n" + read_text(directory + "/log"));
  }
}

CommandResult Containerd::ctr(const std::vector<std::string>& words) const {
  // The namespace names the parent of its containers' control groups.
  std::vector<std::string> all{"ctr", "--address", socket_, "--namespace", box_->name()};
  all.insert(all.end(), words.begin(), words.end());
  return box_->run(all);
}

void Containerd::import_image(const std::string& archive) const {
  const CommandResult done = ctr({"images", "import", archive});
  if (done.exit_code != 0) throw std::runtime_error("ctr images import: " + done.err);
}

CommandResult Containerd::run(const std::string& id, const std::string& pool,
                              const std::vector<std::string>& command) const {
  std::vector<std::string> words{"run", "--detach", "--null-io", "--runc-binary",
                                 wrapper_program()};
  if (!pool.empty()) {
    words.emplace_back("--annotation");
    words.push_back("io.particle.pool=" + pool);
  }
  words.emplace_back(kImage);
  words.push_back(id);
  words.insert(words.end(), command.begin(), command.end());
  return ctr(words);
}

std::string Containerd::exec(const std::string& id, const std::vector<std::string>& command) const {
  std::vector<std::string> words{"tasks", "exec", "--exec-id", unique_name(), id};
  words.insert(words.end(), command.begin(), command.end());
  return ctr(words).out;
}

std::string Containerd::remove(const std::string& id) const {
  static_cast<void>(ctr({"tasks", "kill", "--signal", "SIGKILL", id}));
  // Until the exit has been noticed, the task cannot be removed.
  CommandResult gone;
  eventually(
      [&] { return (gone = ctr({"tasks", "rm", id})).err.find("must be") == std::string::npos; });
  const CommandResult removed = ctr({"containers", "rm", id});
  return removed.exit_code == 0 ? "" : gone.err + removed.err;
}

}  // namespace particle::test
