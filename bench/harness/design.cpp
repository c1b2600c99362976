// SPDX-License-Identifier: Apache-2.0
#include "harness/design.hpp"

#include <algorithm>

#include "baselines/baseline.hpp"
#include "harness/designs.hpp"

namespace particle::bench {
namespace {

constexpr std::uint64_t kMostPairs = 1600;
constexpr std::string_view kWhyPairs =
    "each endpoint costs a veth pair, and a pair costs more the more there are: the paper's "
    "largest "
    "figure is 1,600, too";

constexpr std::uint64_t kMostContainers = 100;
constexpr std::string_view kWhyContainers =
    "a container costs an engine a tenth of a second and more, whatever connects it";

std::string nothing_missing() {
  return {};
}

std::string missing_ip() {
  return baselines::find_ip_command().empty() ? "there is no ip command: apt install iproute2" : "";
}

template <EngineKind kind, Network network>
constexpr Design burst(std::string_view name, std::string_view title, std::string_view what,
                       std::string_view paper = {}) {
  return Design{name,
                title,
                what,
                paper,
                kMostContainers,
                kWhyContainers,
                Kind::containers,
                [] { return missing_for(kind, network); },
                measure_containers<kind, network>};
}

constexpr std::array kDesigns{
    Design{"ip-commands", "one ip command per step",
           "A namespace and a veth pair for each endpoint, one ip(8) process for each step; both "
           "ends of the pair are made in the node's namespace and moved.",
           "the baseline, Linux Overlay (table 3.3, figure 3.2)", kMostPairs, kWhyPairs,
           Kind::endpoints, missing_ip, measure_ip_commands},
    Design{"netlink-moved", "the same steps in process",
           "The steps of ip-commands over netlink from one process: what is left is the kernel's "
           "own cost.",
           "", kMostPairs, kWhyPairs, Kind::endpoints, nothing_missing, measure_netlink_moved},
    Design{"shared-namespace", "design 1: shared namespace",
           "One namespace for all, a veth pair for each endpoint, both ends moved; one endpoint "
           "after the other, in process.",
           "design 1, namespace consolidation (figure 3.2)", kMostPairs, kWhyPairs, Kind::endpoints,
           nothing_missing, measure_shared_namespace},
    Design{"batched", "design 2: batching",
           "As shared-namespace, each step done for all endpoints in netlink batches.",
           "design 2, batching and IP pooling (figure 3.2)", kMostPairs, kWhyPairs, Kind::endpoints,
           nothing_missing, measure_batched},
    Design{"isolated-in-place", "a namespace each, born in place",
           "A namespace and a veth pair for each endpoint, each end born where it belongs: nothing "
           "is moved. As well as it can be done without sharing.",
           "", kMostPairs, kWhyPairs, Kind::endpoints, nothing_missing, measure_isolated_in_place},
    Design{"consolidated", "Particle: secondary addresses",
           "One namespace, one veth pair, N secondary addresses: `particle create-pool --mode "
           "secondary`, records included.",
           "Particle, virtual interface consolidation (figure 3.2)", 10000,
           "the kernel walks the device's addresses for each new one: 65,000 take minutes",
           Kind::endpoints, nothing_missing, measure_consolidated},
    Design{"anyip", "Particle: one local route",
           "One namespace, one veth pair, one local route for all endpoints: `particle create-pool "
           "--mode anyip`, records included.",
           "", 65000, "a /16, which the harness gives a pool, has no more", Kind::endpoints,
           nothing_missing, measure_anyip},
    burst<EngineKind::docker, Network::none>(
        "docker-none", "Docker without network",
        "`docker run --network none`: what a container costs Docker before anything is connected.",
        "Docker container start (section 3.1)"),
    burst<EngineKind::docker, Network::bridge>(
        "docker-bridge", "Docker's bridge",
        "`docker run`, on the default bridge with Docker's own firewall rules."),
    burst<EngineKind::docker, Network::overlay>(
        "docker-overlay", "Docker Swarm overlay",
        "`docker run --network` on an attachable overlay of a Swarm of one node.",
        "Docker Swarm overlay (section 3.1)"),
    burst<EngineKind::docker, Network::pool>(
        "docker-particle", "Docker in a Particle pool",
        "`docker run --runtime particle`: the same containers in a pool, which is made within the "
        "measured time."),
    burst<EngineKind::containerd, Network::none>(
        "containerd-none", "containerd without network",
        "`ctr run`: a network namespace for each container, with nothing in it."),
    burst<EngineKind::containerd, Network::bridge>(
        "containerd-bridge", "containerd with the bridge plugin",
        "`ctr run --cni` with the reference plugins bridge and host-local."),
    burst<EngineKind::containerd, Network::pool>("containerd-particle",
                                                 "containerd in a Particle pool",
                                                 "`ctr run --runc-binary particle-runc`: the same "
                                                 "containers in a pool, which is made within "
                                                 "the measured time."),
    burst<EngineKind::podman, Network::none>("podman-none", "Podman without network",
                                             "`podman run --network none`."),
    burst<EngineKind::podman, Network::bridge>("podman-bridge", "Podman's bridge",
                                               "`podman run`, on the default bridge by netavark."),
    burst<EngineKind::podman, Network::pool>(
        "podman-particle", "Podman in a Particle pool",
        "`podman --runtime particle run`: the same containers in a pool, which is made within the "
        "measured time."),
};

}  // namespace

std::span<const Design> designs() noexcept {
  return kDesigns;
}

const Design* find_design(std::string_view name) noexcept {
  const auto* found = std::find_if(kDesigns.begin(), kDesigns.end(),
                                   [&](const Design& design) { return design.name == name; });
  return found == kDesigns.end() ? nullptr : found;
}

std::string missing_for(const Design& design) {
  return design.missing();
}

}  // namespace particle::bench
