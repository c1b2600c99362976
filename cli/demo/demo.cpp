// SPDX-License-Identifier: Apache-2.0
#include "demo/demo.hpp"

#include "demo/comparison.hpp"
#include "demo/isolation.hpp"
#include "demo/lodging.hpp"
#include "demo/pools.hpp"
#include "demo/topology.hpp"
#include "demo/traffic.hpp"

namespace particle::cli::demo {
namespace {

using Clock = std::chrono::steady_clock;

Result<void> prove(const Topology& topology, Facts& facts, const Watch& watch) {
  if (auto done = make_pools(topology, facts, watch); !done) return done;
  if (auto done = run_traffic(facts, watch); !done) return done;
  return prove_isolation(topology, facts, watch);
}

/// The pools were made before, so that the baselines' clean-up cannot slow them down; it begins
/// when this returns.
Result<Remains> run_baselines(Facts& facts, const Watch& watch) {
  if (!facts.options.baseline) return Remains{};
  return compare(facts, watch);
}

Result<void> remove_pools(const Topology& topology, Facts& facts) {
  const auto start = Clock::now();
  for (const auto& node : topology) {
    if (auto done = delete_pools(node.node); !done) return done;
  }
  facts.removal = Clock::now() - start;
  return {};
}

Result<void> leave_up(Lodging& lodging, const Topology& topology, Facts& facts) {
  auto holder = lodging.leave_up(topology);
  if (!holder) return fail(std::move(holder.error()));
  facts.directory = lodging.run_dir();
  facts.holder = *holder;
  return {};
}

}  // namespace

Result<Facts> run(const Options& options, const Watch& watch) {
  const auto start = Clock::now();
  Facts facts;
  facts.options = options;
  auto lodging = Lodging::enter(options.keep);
  if (!lodging) return fail(std::move(lodging.error()));
  facts.unprivileged = lodging->unprivileged();

  auto topology = make_topology(lodging->run_dir());
  if (!topology) return fail(std::move(topology.error()));
  for (std::size_t node = 0; node < kNodes; ++node) {
    facts.underlay.at(node) = topology->at(node).underlay_v4.to_string();
  }
  if (auto done = prove(*topology, facts, watch); !done) return fail(std::move(done.error()));
  auto remains = run_baselines(facts, watch);
  if (!remains) return fail(std::move(remains.error()));
  auto ended = options.keep ? leave_up(*lodging, *topology, facts) : remove_pools(*topology, facts);
  if (!ended) return fail(std::move(ended.error()));
  facts.total = Clock::now() - start;
  return facts;
}

}  // namespace particle::cli::demo
