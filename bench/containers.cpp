// SPDX-License-Identifier: Apache-2.0
/// A burst of real containers under containerd: in one pool, with no network, on the reference bridge.
#include <array>
#include <string>

#include "baselines/sandbox.hpp"
#include "engines/engine.hpp"
#include "harness/testbed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr double kTarget = 1.05;
constexpr const char* kPool = "containers";
constexpr std::array kNetworks{Network::none, Network::pool, Network::bridge};

/// One burst of each kind, in an order that moves on from round to round: a slow minute of the
/// machine hits all alike.
Result<void> round(const Engine& engine, unsigned count, std::size_t number,
                   std::array<Series, kNetworks.size()>& series) {
  for (std::size_t i = 0; i < kNetworks.size(); ++i) {
    const std::size_t kind = (i + number) % kNetworks.size();
    std::vector<std::string> ids;
    ids.reserve(count);
    // The reference IPAM never forgets an id: none is used twice.
    for (unsigned c = 0; c < count; ++c) {
      ids.push_back("c" + std::to_string(number) + "-" + std::to_string(kind) + "-" +
                    std::to_string(c));
    }
    auto took = start_containers(engine, kNetworks[kind], kPool, ids, {});
    if (!took) return fail(std::move(took.error()));
    // The first round only warms up.
    if (number > 0) series[kind].add(*took);
    if (auto done = check_containers(engine, kNetworks[kind], ids); !done) return done;
    if (auto done = remove_containers(engine, ids); !done) return fail(std::move(done.error()));
  }
  return {};
}

Result<void> work(const Options& options, Results& results) {
  if (const auto missing = missing_for(EngineKind::containerd, Network::bridge); !missing.empty()) {
    results.note("SKIP: component containerd: " + missing);
    return {};
  }
  if (auto done = baselines::enter_private_mounts(); !done) return done;
  auto bed = Testbed::make("/run");
  if (!bed) return fail(std::move(bed.error()));
  const unsigned count = options.quick ? 10 : 100;
  PoolSpec spec = spec_of(kPool, 1000, AddressMode::anyip);
  if (auto made = bed->node().create_pool(spec); !made) return fail(std::move(made.error()));
  auto engine = start_engine(EngineKind::containerd,
                             {bed->netns(), bed->run_dir() + "/containerd", bed->run_dir()});
  if (!engine) return fail(std::move(engine.error()));

  std::array<Series, kNetworks.size()> series;
  for (std::size_t i = 0; i <= options.repeats(5); ++i) {
    if (auto done = round(**engine, count, i, series); !done) return done;
  }
  const std::string what = "ctr run, " + std::to_string(count) + " containers, " +
                           std::to_string(kAtATime) + " calls at a time: until the last one runs";
  Comparison line;
  line.what = what;
  line.left_name = "in one pool";
  line.left = series[1];
  line.right_name = "no network";
  line.right = series[0];
  line.at_most = kTarget;
  results.add(line);
  line.right_name = "reference bridge";
  line.right = series[2];
  line.at_most.reset();
  results.add(line);
  const auto leases = bed->node().leases();
  if (!leases) return fail(leases.error());
  if (!leases->empty()) {
    return fail(Error::of(Errc::busy, std::to_string(leases->size()) + " leases are left"));
  }
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-containers",
      "A burst of containers under containerd: in one pool, without network, on the reference "
      "bridge.",
      particle::bench::work);
}
