// SPDX-License-Identifier: Apache-2.0
/// Pools of many nodes: table 3.1 of the dissertation, the kernel's entries for a remote node, and what
/// packets get, beside the same overlay used the ordinary way, a container with a veth of its own on
/// the bridge.
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "support/overlay_bed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr std::uint64_t kConnections = 101;  // of table 3.1

/// A cluster for table 3.1: its last node only receives, as in the dissertation (3.1.2). A node alone
/// would otherwise talk to itself, without a wire.
Result<OverlayBed> make_cluster(std::size_t nodes) {
  auto bed = OverlayBed::make(nodes + 1);
  if (!bed) return bed;
  // A VTEP that goes with its last pool keeps its VNI until the kernel has taken it apart.
  if (auto done = bed->keep_vteps(); !done) return fail(std::move(done.error()));
  if (auto done = bed->make_all(kConnections, Attachment::veth); !done)
    return fail(std::move(done.error()));
  return bed;
}

/// The first node sets itself up anew while the others are up: pool, peers, and a connection of every
/// endpoint to the receiver.
Result<double> set_up_once(OverlayBed& bed) {
  if (auto done = bed.remove_pool(0); !done) return fail(std::move(done.error()));
  const auto start = Clock::now();
  if (auto done = bed.make_pool(0, kConnections, Attachment::veth); !done)
    return fail(std::move(done.error()));
  if (auto done = bed.introduce(0); !done) return fail(std::move(done.error()));
  if (auto done = bed.connect_all(0, bed.size() - 1, kConnections); !done)
    return fail(std::move(done.error()));
  return to_ms(Clock::now() - start);
}

/// One node's own work, in clusters that live side by side and take turns: what is compared is what a
/// larger cluster costs a node, not how many nodes two processors bear at once.
Result<void> table_3_1(const Options& options, Results& results) {
  constexpr std::array<std::size_t, 3> kNodes{1, 4, 16};
  std::vector<OverlayBed> beds;
  beds.reserve(kNodes.size());
  for (const std::size_t nodes : kNodes) {
    auto bed = make_cluster(nodes);
    if (!bed) return fail(std::move(bed.error()));
    beds.push_back(std::move(*bed));
  }
  std::array<Series, kNodes.size()> times;
  for (std::size_t round = 0; round < options.repeats(61); ++round) {
    for (std::size_t k = 0; k < beds.size(); ++k) {
      auto took = set_up_once(beds[k]);
      if (!took) return fail(std::move(took.error()));
      if (round > 0) times.at(k).add(*took);  // the first warms up
    }
  }
  for (std::size_t k = 0; k < beds.size(); ++k) {
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

/// One way for packets to go, and what was measured on it.
struct Way {
  Path path;
  Series series;
};

using Measure = std::function<Result<double>(const Path&)>;

/// The rounds go through all ways in turn, each beginning with another, so that neither a slow moment
/// nor what came just before favours one.
Result<void> in_turns(std::size_t rounds, std::vector<Way>& ways, const Measure& measure) {
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < ways.size(); ++i) {
      Way& way = ways[(round + i) % ways.size()];
      auto value = measure(way.path);
      if (!value) return fail(std::move(value.error()));
      way.series.add(*value);
    }
  }
  return {};
}

Measure throughput(const Load& load) {
  return [&load](const Path& path) { return iperf(path, load.udp, load.flows); };
}

Comparison throughput_line(std::string what, const Way& usual, const char* usual_name,
                           const Way& ours, const char* our_name, double at_least) {
  Comparison line;
  line.what = std::move(what);
  line.left_name = usual_name;
  line.left = usual.series;
  line.right_name = our_name;
  line.right = ours.series;
  line.unit = "Gbit/s";
  line.at_least = at_least;
  return line;
}

Result<void> between_nodes(const Options& options, OverlayBed& veth, OverlayBed& direct,
                           Results& results) {
  for (const Load& load : kLoads) {
    std::vector<Way> ways{
        {veth.container_path(), {}}, {veth.pool_path(), {}}, {direct.pool_path(), {}}};
    if (auto done = in_turns(options.repeats(6), ways, throughput(load)); !done) return done;
    const std::string what = std::string("between nodes, ") + load.name;
    results.add(throughput_line(what, ways[0], "container", ways[1], "pool, veth", 1.0));
    results.add(throughput_line(what, ways[0], "container", ways[2], "pool, direct", 1.0));
  }
  return {};
}

Result<void> within(const Options& options, OverlayBed& bed, Results& results) {
  for (const Load& load : kLoads) {
    std::vector<Way> ways{{bed.bridge_path(), {}}, {bed.local_path(), {}}};
    if (auto done = in_turns(options.repeats(6), ways, throughput(load)); !done) return done;
    results.add(throughput_line(std::string("on one node, ") + load.name, ways[0],
                                "two containers on the bridge", ways[1], "within a pool", 1.3));
  }
  return {};
}

Comparison round_trip_line(std::string what, const Way& ours, const char* our_name,
                           const Way& usual, const char* usual_name) {
  Comparison line;
  line.what = std::move(what);
  line.left_name = our_name;
  line.left = ours.series;
  line.right_name = usual_name;
  line.right = usual.series;
  line.unit = "us";
  return line;
}

Result<void> round_trips(const Options& options, OverlayBed& veth, OverlayBed& direct,
                         Results& results) {
  std::vector<Way> ways{{veth.container_path(), {}},
                        {veth.pool_path(), {}},
                        {direct.pool_path(), {}},
                        {veth.bridge_path(), {}},
                        {veth.local_path(), {}}};
  if (auto done = in_turns(options.repeats(9), ways, round_trip); !done) return done;
  const std::string between = "round trip between nodes, UDP, 64 bytes";
  results.add(round_trip_line(between, ways[1], "pool, veth", ways[0], "container"));
  results.add(round_trip_line(between, ways[2], "pool, direct", ways[0], "container"));
  results.add(round_trip_line("round trip on one node, UDP, 64 bytes", ways[4], "within a pool",
                              ways[3], "two containers on the bridge"));
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
