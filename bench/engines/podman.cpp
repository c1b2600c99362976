// SPDX-License-Identifier: Apache-2.0
#include "engines/engines.hpp"
#include "engines/image.hpp"

namespace particle::bench {
namespace {

/// $1: directory, $2: particle-runc, $3: runc, $4: where pools are recorded. Podman has no daemon: the box only waits. Its
/// configuration is what Debian's is, but for the directories, and for the resource limits, which
/// cannot be raised without CAP_SYS_RESOURCE. It hands no environment to its runtimes: particle-runc
/// reads its settings.
constexpr const char* kPrepare = R"sh(set -e
mkdir -p "$1/bin" "$1/etc" "$1/etc-work"
mount -t overlay -o lowerdir=/etc,upperdir="$1/etc",workdir="$1/etc-work" overlay /etc
mkdir -p /etc/containers /etc/particle
printf '{"runtime":"%s","runDir":"%s"}' "$3" "$4" >/etc/particle/particle-runc.json
printf '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json
command -v iptables >/dev/null || ln -s "$(command -v iptables-legacy)" "$1/bin/iptables"
command -v ip6tables >/dev/null || ln -s "$(command -v ip6tables-legacy)" "$1/bin/ip6tables"
cat >"$1/containers.conf" <<END
[containers]
default_ulimits = []
log_driver = "none"
[engine]
runtime = "runc"
events_logger = "none"
cgroup_manager = "cgroupfs"
conmon_path = ["$(command -v conmon)"]
helper_binaries_dir = ["$(dirname "$(command -v netavark)")"]
[engine.runtimes]
runc = ["$3"]
particle = ["$2"]
[network]
network_backend = "netavark"
network_config_dir = "$1/networks"
END
cat >"$1/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$1/graph"
runroot = "$1/runroot"
END
exec "$(command -v tini-static || command -v tini)" -- sleep infinity
)sh";

class Podman : public Engine {
 public:
  using Engine::Engine;

  [[nodiscard]] Words run_words(Network network, const std::string& pool,
                                const std::string& id) const override {
    Words words{"run", "--detach", "--name", id, "--cgroup-parent", "/" + box().group()};
    if (network == Network::bridge) {
      words.insert(words.end(), {"--network", "bridge"});
    } else {
      words.insert(words.end(), {"--network", "none"});
    }
    if (network == Network::pool) {
      words.insert(words.begin(), {"--runtime", "particle"});
      words.insert(words.end(), {"--annotation", "io.particle.pool=" + pool});
    }
    words.insert(words.end(), {kImage, "sleep", kSleep});
    return podman(words);
  }
  [[nodiscard]] std::vector<Words> removal_words(const std::string& id) const override {
    return {podman({"rm", "--force", "--time", "0", id})};
  }
  [[nodiscard]] Words list_words() const override { return podman({"ps", "--quiet"}); }
  [[nodiscard]] Words exec_words(const std::string& id, const Words& words) const override {
    Words all{"exec", id};
    all.insert(all.end(), words.begin(), words.end());
    return podman(all);
  }

  [[nodiscard]] Words podman(const Words& words) const {
    Words all{"env", "CONTAINERS_CONF=" + box().directory() + "/containers.conf",
              "CONTAINERS_STORAGE_CONF=" + box().directory() + "/storage.conf", "podman"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
};

}  // namespace

Result<std::unique_ptr<Engine>> start_podman(const Place& place, const std::string& image) {
  auto box = Box::enter(place.node, place.directory, place.run_dir, kPrepare,
                        {place.directory, own_directory() + "/particle-runc",
                         find_program("runc").value_or("runc"), place.run_dir});
  if (!box) return fail(std::move(box.error()));
  auto podman = std::make_unique<Podman>(std::move(*box));
  if (auto done = podman->box().wait_until(podman->podman({"info"})); !done) {
    return fail(std::move(done.error()));
  }
  if (auto done = podman->box().run(podman->podman({"load", "--input", image})); !done) {
    return fail(std::move(done.error()));
  }
  return podman;
}

}  // namespace particle::bench
