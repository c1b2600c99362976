// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <stdexcept>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"
#include "runtime/engine.hpp"

namespace particle::test {
namespace {

/// There is no daemon: the box waits, with an /etc of its own that has podman's files. $1: directory.
constexpr const char* kWait = R"(set -e
mkdir -p "$1/etc" "$1/etc-work"
mount -t overlay -o lowerdir=/etc,upperdir="$1/etc",workdir="$1/etc-work" overlay /etc
mkdir -p /etc/containers /etc/particle
cp "$1/policy.json" /etc/containers/
cp "$1/particle-runc.json" /etc/particle/
: >"$1/ready"
exec sleep infinity)";

/// As Debian's, but for the directories, and without limits that only CAP_SYS_RESOURCE may raise.
std::string configuration(const std::string& directory) {
  return "[containers]\ndefault_ulimits = []\nlog_driver = \"none\"\n"
         "[engine]\nruntime = \"runc\"\nevents_logger = \"none\"\ncgroup_manager = \"cgroupfs\"\n"
         "conmon_path = [\"" +
         component("conmon") +
         "\"]\n"
         "[engine.runtimes]\nrunc = [\"" +
         component("runc") + "\"]\nparticle = [\"" + wrapper_program() +
         "\"]\n"
         "[network]\nnetwork_backend = \"cni\"\nnetwork_config_dir = \"" +
         directory + "/networks\"\ncni_plugin_dirs = [\"" + directory + "/cni\"]\n";
}

}  // namespace

Podman::Podman(const NetNs& node, const std::string& directory, const std::string& run_dir)
    : directory_(directory) {
  std::filesystem::create_directories(directory + "/networks");
  std::filesystem::create_directories(directory + "/cni");
  write_text(directory + "/containers.conf", configuration(directory));
  write_text(directory + "/storage.conf", "[storage]\ndriver = \"vfs\"\ngraphroot = \"" +
                                              directory + "/graph\"\nrunroot = \"" + directory +
                                              "/runroot\"\n");
  write_text(directory + "/policy.json", R"({"default":[{"type":"insecureAcceptAnything"}]})");
  // podman hands its environment to no runtime.
  const nlohmann::json settings{{"runtime", component("runc")}, {"runDir", run_dir}};
  write_text(directory + "/particle-runc.json", settings.dump());
  box_ = std::make_unique<EngineBox>(
      node, directory, std::vector<std::string>{"sh", "-c", kWait, "sh", directory}, run_dir);
  CommandResult said;
  const auto works = [&] {
    return std::filesystem::exists(directory + "/ready") && (said = call({"info"})).exit_code == 0;
  };
  if (!eventually(works)) throw std::runtime_error("podman does not work:\n" + said.err);
}

CommandResult Podman::call(const std::vector<std::string>& words) const {
  std::vector<std::string> all{"env",
                               "LD_LIBRARY_PATH=" + component_library_path(),
                               "CONTAINERS_CONF=" + directory_ + "/containers.conf",
                               "CONTAINERS_STORAGE_CONF=" + directory_ + "/storage.conf",
                               "podman",
                               "--runtime",
                               "particle"};
  all.insert(all.end(), words.begin(), words.end());
  return box_->run(all);
}

CommandResult Podman::run(const std::string& id, const std::vector<std::string>& options,
                          const std::vector<std::string>& command) const {
  std::vector<std::string> words{"run", "--detach",        "--name",
                                 id,    "--cgroup-parent", "/" + box_->name()};
  words.insert(words.end(), options.begin(), options.end());
  words.emplace_back(kImage);
  words.insert(words.end(), command.begin(), command.end());
  return call(words);
}

}  // namespace particle::test
