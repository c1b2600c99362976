// SPDX-License-Identifier: Apache-2.0
#include "engines/engines.hpp"
#include "engines/image.hpp"

namespace particle::bench {
namespace {

/// $1: directory, $2: where the CNI plugins are, or nothing. ctr looks for plugins in /opt/cni/bin
/// and for networks in /etc/cni/net.d, and cannot be told otherwise; those of the box are its own.
constexpr const char* kBecomeContainerd = R"sh(set -e
mkdir -p "$1/etc" "$1/etc-work"
mount -t overlay -o lowerdir=/etc,upperdir="$1/etc",workdir="$1/etc-work" overlay /etc
mount -t tmpfs tmpfs /opt
mkdir -p /etc/cni/net.d /opt/cni/bin
[ -z "$2" ] || cp "$2"/* /opt/cni/bin/
rm -f /etc/cni/net.d/*
printf '{"cniVersion":"0.4.0","name":"bench","plugins":[{"type":"bridge","bridge":"bench-br0","isGateway":false,"ipMasq":false,"ipam":{"type":"host-local","dataDir":"%s/ipam","ranges":[[{"subnet":"10.99.0.0/16"}]]}}]}' "$1" >/etc/cni/net.d/10-bench.conflist
printf 'version = 2\nroot = "%s/root"\nstate = "%s/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "%s/containerd.sock"\n' "$1" "$1" "$1" >"$1/config.toml"
exec "$(command -v tini-static || command -v tini)" -- containerd --config "$1/config.toml"
)sh";

class Containerd : public Engine {
 public:
  using Engine::Engine;

  [[nodiscard]] Words run_words(Network network, const std::string& pool,
                                const std::string& id) const override {
    Words words{"run", "--detach", "--null-io", "--runc-binary"};
    words.push_back(network == Network::pool ? own_directory() + "/particle-runc"
                                             : find_program("runc").value_or("runc"));
    if (network == Network::pool) {
      words.insert(words.end(), {"--annotation", "io.particle.pool=" + pool});
    }
    if (network == Network::bridge) words.emplace_back("--cni");
    words.insert(words.end(), {kImage, id, "sleep", kSleep});
    return ctr(words);
  }
  /// ctr warns that what it kills does not end with 0, and fails where it is gone already.
  [[nodiscard]] std::vector<Words> removal_words(const std::string& id) const override {
    return {ctr({"tasks", "rm", "--force", id}), ctr({"containers", "rm", id})};
  }
  [[nodiscard]] Words list_words() const override { return ctr({"tasks", "ls", "--quiet"}); }
  [[nodiscard]] Words exec_words(const std::string& id, const Words& words) const override {
    Words all{"tasks", "exec", "--exec-id", "look", id};
    all.insert(all.end(), words.begin(), words.end());
    return ctr(all);
  }

  /// The namespace names the parent of its containers' control groups.
  [[nodiscard]] Words ctr(const Words& words) const {
    Words all{"ctr", "--address", box().directory() + "/containerd.sock", "--namespace",
              box().group()};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
};

}  // namespace

Result<std::unique_ptr<Engine>> start_containerd(const Place& place, const std::string& image) {
  auto box = Box::enter(place.node, place.directory, place.run_dir, kBecomeContainerd,
                        {place.directory, find_directory("usr/lib/cni").value_or("")});
  if (!box) return fail(std::move(box.error()));
  auto containerd = std::make_unique<Containerd>(std::move(*box));
  if (auto done = containerd->box().wait_until(containerd->ctr({"version"})); !done) {
    return fail(std::move(done.error()));
  }
  if (auto done = containerd->box().run(containerd->ctr({"images", "import", image})); !done) {
    return fail(std::move(done.error()));
  }
  return containerd;
}

}  // namespace particle::bench
