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

constexpr std::array kDesigns{
    Design{"ip-commands", "one ip command per step",
           "A namespace and a veth pair for each endpoint, one ip(8) process for each step; both "
           "ends of the pair are made in the node's namespace and moved.",
           "the baseline, Linux Overlay (table 3.3, figure 3.2)", kMostPairs, kWhyPairs, "ip",
           measure_ip_commands},
    Design{"netlink-moved", "the same steps in process",
           "The steps of ip-commands over netlink from one process: what is left is the kernel's "
           "own cost.",
           "", kMostPairs, kWhyPairs, "", measure_netlink_moved},
    Design{"shared-namespace", "design 1: shared namespace",
           "One namespace for all, a veth pair for each endpoint, both ends moved; one endpoint "
           "after the other, in process.",
           "design 1, namespace consolidation (figure 3.2)", kMostPairs, kWhyPairs, "",
           measure_shared_namespace},
    Design{"batched", "design 2: batching",
           "As shared-namespace, each step done for all endpoints in netlink batches.",
           "design 2, batching and IP pooling (figure 3.2)", kMostPairs, kWhyPairs, "",
           measure_batched},
    Design{"isolated-in-place", "a namespace each, born in place",
           "A namespace and a veth pair for each endpoint, each end born where it belongs: nothing "
           "is moved. As well as it can be done without sharing.",
           "", kMostPairs, kWhyPairs, "", measure_isolated_in_place},
    Design{"consolidated", "Particle: secondary addresses",
           "One namespace, one veth pair, N secondary addresses: `particle create-pool --mode "
           "secondary`, records included.",
           "Particle, virtual interface consolidation (figure 3.2)", 10000,
           "the kernel walks the device's addresses for each new one: 65,000 take minutes", "",
           measure_consolidated},
    Design{"anyip", "Particle: one local route",
           "One namespace, one veth pair, one local route for all endpoints: `particle create-pool "
           "--mode anyip`, records included.",
           "", 65000, "a /16, which the harness gives a pool, has no more", "", measure_anyip},
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
  if (design.needs == "ip" && baselines::find_ip_command().empty()) {
    return "there is no ip command: apt install iproute2";
  }
  return {};
}

}  // namespace particle::bench
