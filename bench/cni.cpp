// SPDX-License-Identifier: Apache-2.0
/// particle-cni against the reference plugins bridge and host-local: whole processes, as a container
/// runtime starts them.
#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include <particle/link.hpp>

#include "harness/testbed.hpp"
#include "support/floor_on_bed.hpp"
#include "support/plugins.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr double kAddTarget = 1.0 / 5;
constexpr double kFirstAddTarget = 1.0 / 3;
constexpr double kDelTarget = 1.0 / 8;
constexpr double kBurstTarget = 1.0 / 5;
constexpr double kSpreadTarget = 5;
constexpr double kGrowthTarget = 1.2;
constexpr std::size_t kAtATime = 32;
constexpr const char* kBridge = "bench-br0";

std::string particle_configuration(const Testbed& bed, const std::string& attach, unsigned part,
                                   const std::string& attachment = "veth") {
  const Json json = {{"cniVersion", "1.0.0"},
                     {"name", "bench-" + attach},
                     {"type", "particle-cni"},
                     {"tenant", "cni" + std::to_string(part)},
                     {"vni", 6000 + part},
                     {"prefix", "10." + std::to_string(part) + ".0.0/16"},
                     {"mode", "anyip"},
                     {"attach", attach},
                     {"attachment", attachment},
                     {"runDir", bed.run_dir()},
                     {"underlayDev", kUnderlayDevice}};
  return json.dump();
}

std::string bridge_configuration(const Testbed& bed) {
  const Json json = {{"cniVersion", "1.0.0"},
                     {"name", "bench-bridge"},
                     {"type", "bridge"},
                     {"bridge", kBridge},
                     {"ipam",
                      {{"type", "host-local"},
                       {"subnet", "10.99.0.0/16"},
                       {"dataDir", bed.run_dir() + "/host-local"}}}};
  return json.dump();
}

/// One plugin, and the times of its DELs, which every ADD is followed by.
struct Contender {
  Plugin plugin;
  Series dels;

  Result<double> add_and_del(const Containers& containers, std::size_t i) {
    auto added = plugin.call("ADD", Containers::id(i), containers.netns(i));
    if (!added) return added;
    auto removed = plugin.call("DEL", Containers::id(i), containers.netns(i));
    if (!removed) return removed;
    dels.add(*removed);
    return added;
  }
};

Result<void> compare_steady(const Options& options, Results& results, const Containers& containers,
                            Contender& ours, Contender& theirs, const std::string& attach) {
  // A first container each, so that pool and bridge are there.
  if (auto kept = ours.plugin.call("ADD", Containers::id(0), containers.netns(0)); !kept)
    return fail(std::move(kept.error()));
  if (auto kept = theirs.plugin.call("ADD", Containers::id(1), containers.netns(1)); !kept)
    return fail(std::move(kept.error()));
  Comparison line;
  line.what = "ADD, attach " + attach + ", pool exists";
  line.left_name = "particle-cni";
  line.right_name = "bridge + host-local";
  const bool judged = attach == "runtime";
  if (judged) line.at_most = kAddTarget;
  auto done = interleave(
      options.repeats(51), [&] { return ours.add_and_del(containers, 2); },
      [&] { return theirs.add_and_del(containers, 3); }, line.left, line.right);
  if (!done) return done;
  results.add(line);
  Comparison dels = line;
  dels.what = "DEL, attach " + attach;
  if (judged) dels.at_most = kDelTarget;
  dels.left = ours.dels;
  dels.right = theirs.dels;
  results.add(dels);
  if (auto gone = ours.plugin.call("DEL", Containers::id(0), containers.netns(0)); !gone)
    return fail(std::move(gone.error()));
  if (auto gone = theirs.plugin.call("DEL", Containers::id(1), containers.netns(1)); !gone)
    return fail(std::move(gone.error()));
  return {};
}

/// The bridge plugin never removes its bridge.
Result<void> remove_bridge(const Testbed& bed) {
  auto session = bed.netns().open_session();
  if (!session) return fail(std::move(session.error()));
  auto gone = session->apply(encode_link_removal(std::string(kBridge)));
  if (!gone) return fail(std::move(gone.error()));
  return {};
}

/// What no first ADD can be faster than: the kernel calls of a tenant's VTEP and of one pool by hand, and a process
/// of the same program that has nothing to do.
Result<void> add_floor(const Options& options, Results& results, const Testbed& bed,
                       const Containers& containers, const Contender& ours, double reference) {
  Series pool;
  Series process;
  Series vtep;
  for (std::size_t i = 0; i < options.repeats(21); ++i) {
    auto took = vtep_floor_on(bed);
    if (!took) return fail(std::move(took.error()));
    vtep.add(*took);
  }
  auto done = interleave(
      options.repeats(21),
      [&]() -> Result<double> {
        auto times = floor_on(bed, 1, AddressMode::anyip);
        if (!times) return fail(std::move(times.error()));
        return times->total;
      },
      [&] { return ours.plugin.call("VERSION", Containers::id(0), containers.netns(0)); }, pool,
      process);
  if (!done) return done;
  results.add("one pool by raw libmnl in a running process, the tenant's VTEP there", pool);
  results.add("a tenant's VTEP by hand in a running process", vtep);
  results.add("particle-cni VERSION, which does nothing", process);
  const double direct = pool.median() + process.median();
  results.add_ratio(
      "floor of attachment direct: pool and process over bridge + host-local's first ADD",
      direct / reference, std::nullopt);
  results.add_ratio("floor of attachment veth: the same and the VTEP",
                    (direct + vtep.median()) / reference, std::nullopt);
  return {};
}

/// `attachment`: of the pool that each ADD makes. With the bridge's first comes the floor.
Result<void> compare_first(const Options& options, Results& results, const Testbed& bed,
                           const Containers& containers, Contender& ours, Contender& theirs,
                           const std::string& attachment) {
  Comparison line;
  line.what = "ADD, the first of a tenant, attachment " + attachment;
  line.left_name = "particle-cni";
  line.right_name = "bridge + host-local";
  line.at_most = kFirstAddTarget;
  auto done = interleave(
      options.repeats(21),
      [&]() -> Result<double> {
        auto took = ours.add_and_del(containers, 0);
        if (!took) return took;
        if (auto settled = bed.settle(); !settled) return fail(std::move(settled.error()));
        return took;
      },
      [&]() -> Result<double> {
        auto took = theirs.add_and_del(containers, 1);
        if (auto gone = remove_bridge(bed); !gone) return fail(std::move(gone.error()));
        return took;
      },
      line.left, line.right);
  if (!done) return done;
  results.add(line);
  if (attachment != "veth") return {};
  return add_floor(options, results, bed, containers, ours, line.right.median());
}

/// All containers at once; milliseconds in total, single calls into `calls`.
Result<double> burst(const Plugin& plugin, const Containers& containers, std::size_t count,
                     Series& calls) {
  std::vector<Result<double>> took(count, 0.0);
  std::atomic<std::size_t> next{0};
  const auto begin = Clock::now();
  std::vector<std::thread> workers;
  workers.reserve(kAtATime);
  for (std::size_t w = 0; w < kAtATime; ++w) {
    workers.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++)
        took[i] = plugin.call("ADD", Containers::id(i), containers.netns(i));
    });
  }
  for (auto& worker : workers) worker.join();
  const double total = to_ms(Clock::now() - begin);
  for (auto& one : took) {
    if (!one) return one;
    calls.add(*one);
  }
  for (std::size_t i = 0; i < count; ++i) {
    auto gone = plugin.call("DEL", Containers::id(i), containers.netns(i));
    if (!gone) return gone;
  }
  return total;
}

/// A burst whose first calls make the pool; what waits for it is its spread. Not judged: the bridge is
/// never made in a burst but the first.
Result<void> measure_cold_burst(const Options& options, Results& results,
                                const Containers& containers, const Contender& ours) {
  Series totals;
  Series calls;
  for (std::size_t i = 0; i < options.repeats(3); ++i) {
    auto total = burst(ours.plugin, containers, containers.size(), calls);
    if (!total) return fail(std::move(total.error()));
    totals.add(*total);
  }
  results.add(std::to_string(containers.size()) + " ADDs the first of which makes the pool",
              totals);
  results.add_ratio("p99 of an ADD in that burst over its p50",
                    calls.quantile(0.99) / calls.quantile(0.5), std::nullopt);
  return {};
}

Result<void> compare_bursts(const Options& options, Results& results, const Containers& containers,
                            const Contender& ours, const Contender& theirs) {
  if (auto cold = measure_cold_burst(options, results, containers, ours); !cold) return cold;
  // One container stays, so that the pool is there as the bridge is.
  if (auto kept = ours.plugin.call("ADD", "kept", containers.netns(0)); !kept)
    return fail(std::move(kept.error()));
  Comparison line;
  line.what = std::to_string(containers.size()) + " ADDs by 32 processes at a time, pool exists";
  line.left_name = "particle-cni";
  line.right_name = "bridge + host-local";
  line.at_most = kBurstTarget;
  Series calls;
  Series their_calls;
  auto done = interleave(
      options.repeats(3), [&] { return burst(ours.plugin, containers, containers.size(), calls); },
      [&] { return burst(theirs.plugin, containers, containers.size(), their_calls); }, line.left,
      line.right);
  if (!done) return done;
  results.add(line);
  results.add_ratio("p99 of particle-cni's ADD in the burst over its p50",
                    calls.quantile(0.99) / calls.quantile(0.5), kSpreadTarget);
  results.add_ratio("the same of bridge + host-local",
                    their_calls.quantile(0.99) / their_calls.quantile(0.5), std::nullopt);
  if (auto gone = ours.plugin.call("DEL", "kept", containers.netns(0)); !gone)
    return fail(std::move(gone.error()));
  return {};
}

/// One container's namespace may serve many ids: attach runtime puts nothing into it.
Result<void> measure_growth(const Options& options, Results& results, const Containers& containers,
                            const Contender& ours) {
  const std::size_t count = options.quick ? 60 : 1000;
  const std::size_t window = count / 20;
  Series first;
  Series last;
  for (std::size_t i = 0; i <= count; ++i) {
    auto took = ours.plugin.call("ADD", "grow" + std::to_string(i), containers.netns(0));
    if (!took) return fail(std::move(took.error()));
    if (i > 0 && i <= window) first.add(*took);  // the one before made the pool
    if (i > count - window) last.add(*took);
  }
  results.add_ratio("ADD number " + std::to_string(count) + " over the first after the pool's",
                    last.median() / first.median(), kGrowthTarget);
  for (std::size_t i = 0; i <= count; ++i) {
    auto gone = ours.plugin.call("DEL", "grow" + std::to_string(i), containers.netns(0));
    if (!gone) return fail(std::move(gone.error()));
  }
  return {};
}

Result<Contender> contender(const Testbed& bed, const std::string& program,
                            const std::string& configuration) {
  auto plugin = Plugin::make(bed.netns(), program, bed.run_dir(), configuration);
  if (!plugin) return fail(std::move(plugin.error()));
  return Contender{*std::move(plugin), {}};
}

Result<void> work(const Options& options, Results& results) {
  auto cni = find_particle_cni();
  if (!cni) return fail(std::move(cni.error()));
  auto reference = find_reference_plugins();
  if (!reference) return fail(std::move(reference.error()));
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  auto containers = Containers::make(bed->run_dir(), options.quick ? 40 : 200);
  if (!containers) return fail(std::move(containers.error()));
  auto runtime = contender(*bed, *cni, particle_configuration(*bed, "runtime", 11));
  auto veth = contender(*bed, *cni, particle_configuration(*bed, "veth", 12));
  auto direct = contender(*bed, *cni, particle_configuration(*bed, "runtime", 13, "direct"));
  auto bridge = contender(*bed, *reference + "/bridge", bridge_configuration(*bed));
  if (!runtime || !veth || !direct || !bridge)
    return fail(Error::of(Errc::io, "write configurations"));
  for (auto* ours : {&*runtime, &*veth}) {
    bridge->dels = {};
    const std::string attach = ours == &*veth ? "veth" : "runtime";
    auto done = compare_steady(options, results, *containers, *ours, *bridge, attach);
    if (!done) return done;
  }
  if (auto gone = remove_bridge(*bed); !gone) return gone;
  for (auto* ours : {&*runtime, &*direct}) {
    const std::string attachment = ours == &*direct ? "direct" : "veth";
    auto done = compare_first(options, results, *bed, *containers, *ours, *bridge, attachment);
    if (!done) return done;
  }
  if (auto done = compare_bursts(options, results, *containers, *runtime, *bridge); !done)
    return done;
  return measure_growth(options, results, *containers, *runtime);
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-cni",
      "particle-cni against the reference plugins bridge and host-local, whole processes.",
      particle::bench::work);
}
