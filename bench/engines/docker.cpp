// SPDX-License-Identifier: Apache-2.0

#include "engines/engines.hpp"
#include "engines/image.hpp"

namespace particle::bench {
namespace {

/// $1: directory, $2: particle-runc. dockerd looks for a program called iptables.
constexpr const char* kBecomeDockerd = R"sh(set -e
mkdir -p "$1/bin"
command -v iptables >/dev/null || ln -s "$(command -v iptables-legacy)" "$1/bin/iptables"
command -v ip6tables >/dev/null || ln -s "$(command -v ip6tables-legacy)" "$1/bin/ip6tables"
echo '{}' >"$1/daemon.json"
exec "$(command -v tini-static || command -v tini)" -- dockerd --config-file "$1/daemon.json" --data-root "$1/data" --exec-root "$1/exec" \
  --host "unix://$1/docker.sock" --pidfile "$1/pid" --add-runtime "particle=$2"
)sh";

constexpr const char* kOverlay = "particle-bench";
/// The testbed's underlay address; 4789 is the tenant's VTEP's.
constexpr const char* kSwarmAddress = "192.0.2.1";
constexpr const char* kSwarmPort = "4788";

Words client(const Box& box, const Words& words) {
  Words all{"docker", "--host", "unix://" + box.directory() + "/docker.sock"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

/// What a container of this network is started with, for a pool apart from the runtime.
Words network_words(Network network) {
  switch (network) {
    case Network::bridge:
      return {};
    case Network::overlay:
      return {"--network", kOverlay};
    case Network::pool:
    case Network::none:
      break;
  }
  return {"--network", "none"};
}

class Docker : public Engine {
 public:
  using Engine::Engine;

  Result<void> prepare(Network network) override {
    if (network != Network::overlay || swarm_) return {};
    auto made = box().run(docker(
        {"swarm", "init", "--advertise-addr", kSwarmAddress, "--data-path-port", kSwarmPort}));
    if (!made) return made;
    made = box().run(docker({"network", "create", "--driver", "overlay", "--attachable", "--subnet",
                             "10.77.0.0/16", kOverlay}));
    if (!made) return made;
    swarm_ = true;
    return {};
  }

  [[nodiscard]] Words run_words(Network network, const std::string& pool,
                                const std::string& id) const override {
    Words words{"run", "--detach", "--name", id, "--cgroup-parent", "/" + box().group()};
    if (network == Network::pool) {
      words.insert(words.end(), {"--runtime", "particle", "--env", "PARTICLE_POOL=" + pool});
    }
    const Words how = network_words(network);
    words.insert(words.end(), how.begin(), how.end());
    words.insert(words.end(), {kImage, "sleep", kSleep});
    return docker(words);
  }
  [[nodiscard]] std::vector<Words> removal_words(const std::string& id) const override {
    return {docker({"rm", "--force", id})};
  }
  [[nodiscard]] Words list_words() const override { return docker({"ps", "--quiet"}); }
  [[nodiscard]] Words exec_words(const std::string& id, const Words& words) const override {
    Words all{"exec", id};
    all.insert(all.end(), words.begin(), words.end());
    return docker(all);
  }

  [[nodiscard]] Words docker(const Words& words) const { return client(box(), words); }

 private:
  bool swarm_ = false;
};

}  // namespace

Words attached_docker_words(const Engine& docker, Network network, const std::string& id,
                            const Words& options, const Words& command) {
  Words words{
      "run", "--interactive", "--rm", "--name", id, "--cgroup-parent", "/" + docker.box().group()};
  for (const Words& more : {network_words(network), options, {kImage}, command}) {
    words.insert(words.end(), more.begin(), more.end());
  }
  return client(docker.box(), words);
}

Result<std::unique_ptr<Engine>> start_docker(const Place& place, const std::string& image) {
  auto box = Box::enter(place.node, place.directory, place.run_dir, kBecomeDockerd,
                        {place.directory, own_directory() + "/particle-runc"});
  if (!box) return fail(std::move(box.error()));
  auto docker = std::make_unique<Docker>(std::move(*box));
  if (auto done = docker->box().wait_until(docker->docker({"version"})); !done) {
    return fail(std::move(done.error()));
  }
  if (auto done = docker->box().run(docker->docker({"load", "--input", image})); !done) {
    return fail(std::move(done.error()));
  }
  return docker;
}

}  // namespace particle::bench
