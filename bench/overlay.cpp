// SPDX-License-Identifier: Apache-2.0
/// Pools of many nodes: table 3.1 of the dissertation, the kernel's entries for a remote node, and what
/// packets get, beside the same overlay used the ordinary way, a container with a veth of its own on
/// the bridge.
#include <array>
#include <string>

#include "support/overlay_bed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr std::uint64_t kConnections = 101;  // of table 3.1

/// Node `i` sets itself up anew, in a cluster where the others are up: pool, peers, and a connection of
/// every endpoint to the receiver.
Result<double> set_up_once(OverlayBed& bed, std::size_t i, std::size_t receiver) {
  if (auto done = bed.remove_pool(i); !done) return fail(std::move(done.error()));
  const auto start = Clock::now();
  if (auto done = bed.make_pool(i, kConnections, Attachment::veth); !done)
    return fail(std::move(done.error()));
  if (auto done = bed.introduce(i); !done) return fail(std::move(done.error()));
  if (auto done = bed.connect_all(i, receiver, kConnections); !done)
    return fail(std::move(done.error()));
  return to_ms(Clock::now() - start);
}

/// `nodes` of them and, as in the dissertation (3.1.2), one more that receives what all send: a node
/// alone would otherwise talk to itself, without a wire.
/// One node after the other: what is compared is a node's own work in a larger cluster, not how many
/// nodes two processors bear at once.
Result<Series> set_up_among(std::size_t nodes, std::size_t repeats) {
  auto bed = OverlayBed::make(nodes + 1);
  if (!bed) return fail(std::move(bed.error()));
  // A VTEP that goes with its last pool keeps its VNI until the kernel has taken it apart.
  if (auto done = bed->keep_vteps(); !done) return fail(std::move(done.error()));
  if (auto done = bed->make_all(kConnections, Attachment::veth); !done)
    return fail(std::move(done.error()));
  Series times;
  for (std::size_t round = 0; round < repeats; ++round) {
    auto took = set_up_once(*bed, round % nodes, nodes);
    if (!took) return fail(std::move(took.error()));
    if (round > 0) times.add(*took);  // the first warms up
  }
  return times;
}

Result<void> table_3_1(const Options& options, Results& results) {
  constexpr std::array<std::size_t, 3> kNodes{1, 4, 16};
  std::array<Series, 3> times;
  for (std::size_t k = 0; k < kNodes.size(); ++k) {
    auto measured = set_up_among(kNodes.at(k), options.repeats(31));
    if (!measured) return fail(std::move(measured.error()));
    times.at(k) = std::move(*measured);
    results.add("table 3.1, " + std::to_string(kNodes.at(k)) + " node" +
                    (kNodes.at(k) == 1 ? "" : "s") + ", " + std::to_string(kConnections) +
                    " connections each: until the last one is open",
                times.at(k));
  }
  Comparison flat;
  flat.what = "table 3.1: set-up of a node among 16 against 1 node";
  flat.left_name = "16 nodes";
  flat.left = times[2];
  flat.right_name = "1 node";
  flat.right = times[0];
  flat.at_most = 1.15;
  results.add(flat);
  return {};
}

Result<void> entries(Results& results) {
  std::array<Series, 2> counts;
  constexpr std::array<std::uint64_t, 2> kEndpoints{10, 10000};
  for (std::size_t k = 0; k < kEndpoints.size(); ++k) {
    auto bed = OverlayBed::make(2);
    if (!bed) return fail(std::move(bed.error()));
    for (const std::size_t node : {0U, 1U}) {
      if (auto done = bed->make_pool(node, kEndpoints.at(k), Attachment::veth); !done) return done;
    }
    auto before = bed->count_entries(0);
    if (!before) return fail(std::move(before.error()));
    if (auto done = bed->introduce(0); !done) return done;
    auto after = bed->count_entries(0);
    if (!after) return fail(std::move(after.error()));
    counts.at(k).add(static_cast<double>(*after - *before));
    results.add("kernel entries for a remote node with " + std::to_string(kEndpoints.at(k)) +
                    " endpoints (FDB, neighbours, routes)",
                counts.at(k), "entries");
  }
  results.add_ratio("entries for 10,000 endpoints over those for 10",
                    counts[1].median() / counts[0].median(), 1.0);
  return {};
}

struct Load {
  const char* name;
  bool udp;
  unsigned flows;
};
constexpr std::array kLoads{Load{"TCP, 1 flow", false, 1}, Load{"TCP, 16 flows", false, 16},
                            Load{"UDP, 1 flow", true, 1}, Load{"UDP, 16 flows", true, 16}};

/// The rounds go through all ways in turn, so that a slow moment hits all.
Result<void> between_nodes(const Options& options, OverlayBed& veth, OverlayBed& direct,
                           Results& results) {
  for (const Load& load : kLoads) {
    Series with_veth;
    Series with_direct;
    Series ordinary;
    for (std::size_t round = 0; round < options.repeats(4); ++round) {
      for (const auto& [path, series] :
           {std::pair{veth.pool_path(), &with_veth}, std::pair{veth.container_path(), &ordinary},
            std::pair{direct.pool_path(), &with_direct}}) {
        auto gbits = iperf(path, load.udp, load.flows, options.quick);
        if (!gbits) return fail(std::move(gbits.error()));
        series->add(*gbits);
      }
    }
    Comparison line;
    line.what = std::string("between nodes, ") + load.name;
    line.left_name = "container";
    line.left = ordinary;
    line.right_name = "pool, veth";
    line.right = with_veth;
    line.unit = "Gbit/s";
    line.at_least = 1.0;
    results.add(line);
    line.right_name = "pool, direct";
    line.right = with_direct;
    results.add(line);
  }
  return {};
}

Result<void> within(const Options& options, OverlayBed& bed, Results& results) {
  for (const Load& load : {kLoads[0], kLoads[1]}) {
    Comparison line;
    line.what = std::string("on one node, ") + load.name;
    line.left_name = "two containers on the bridge";
    line.right_name = "within a pool";
    line.unit = "Gbit/s";
    line.at_least = 1.3;
    for (std::size_t round = 0; round < options.repeats(4); ++round) {
      for (const auto& [path, series] :
           {std::pair{bed.bridge_path(), &line.left}, std::pair{bed.local_path(), &line.right}}) {
        auto gbits = iperf(path, load.udp, load.flows, options.quick);
        if (!gbits) return fail(std::move(gbits.error()));
        series->add(*gbits);
      }
    }
    results.add(line);
  }
  return {};
}

Result<void> round_trips(const Options& options, OverlayBed& veth, OverlayBed& direct,
                         Results& results) {
  Series with_veth;
  Series with_direct;
  Series ordinary;
  for (std::size_t round = 0; round < options.repeats(7); ++round) {
    for (const auto& [path, series] :
         {std::pair{veth.pool_path(), &with_veth}, std::pair{veth.container_path(), &ordinary},
          std::pair{direct.pool_path(), &with_direct}}) {
      auto micros = round_trip(path);
      if (!micros) return fail(std::move(micros.error()));
      series->add(*micros);
    }
  }
  for (const auto& [name, series] :
       {std::pair{"pool, veth", &with_veth}, std::pair{"pool, direct", &with_direct}}) {
    Comparison line;
    line.what = "round trip between nodes, UDP, 64 bytes";
    line.left_name = name;
    line.left = *series;
    line.right_name = "container";
    line.right = ordinary;
    line.unit = "us";
    results.add(line);
  }
  return {};
}

Result<void> work(const Options& options, Results& results) {
  results.note(
      "Nodes are namespaces of one machine; what they send each other crosses one bridge.");
  if (auto done = table_3_1(options, results); !done) return done;
  if (auto done = entries(results); !done) return done;
  auto veth = OverlayBed::make(2);
  auto direct = OverlayBed::make(2);
  if (!veth || !direct) return fail(std::move(veth ? direct.error() : veth.error()));
  if (auto done = veth->make_all(10, Attachment::veth); !done) return done;
  if (auto done = direct->make_all(10, Attachment::direct); !done) return done;
  if (auto done = veth->add_containers(); !done) return done;
  if (auto done = round_trips(options, *veth, *direct, results); !done) return done;
  if (auto done = between_nodes(options, *veth, *direct, results); !done) return done;
  return within(options, *veth, results);
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-overlay",
      "Pools of many nodes: set-up, the kernel's entries, throughput and latency.",
      particle::bench::work);
}
