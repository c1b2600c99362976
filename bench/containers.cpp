// SPDX-License-Identifier: Apache-2.0
/// A burst of real containers under containerd: in one pool, with no network, on the reference bridge.
#include <array>
#include <string>

#include "harness/testbed.hpp"
#include "support/containerd_box.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr double kTarget = 1.05;
constexpr unsigned kAtATime = 8;
constexpr const char* kPool = "containers";
constexpr std::array kNetworks{Network::none, Network::pool, Network::bridge};

/// One burst of each kind, in an order that moves on from round to round: a slow minute of the
/// machine hits all alike.
Result<void> round(ContainerdBox& box, unsigned count, std::size_t number,
                   std::array<Series, kNetworks.size()>& series) {
  for (std::size_t i = 0; i < kNetworks.size(); ++i) {
    const std::size_t kind = (i + number) % kNetworks.size();
    auto took = box.burst(kNetworks[kind], kPool, count, kAtATime);
    if (!took) return fail(std::move(took.error()));
    // The first round only warms up.
    if (number > 0) series[kind].add(*took);
    if (auto done = box.clear(kAtATime); !done) return done;
  }
  return {};
}

Result<void> work(const Options& options, Results& results) {
  const auto components = ContainerdBox::find_components();
  if (!components) {
    results.note("SKIP: component containerd: " + components.error().message());
    return {};
  }
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  const unsigned count = options.quick ? 10 : 100;
  PoolSpec spec = spec_of(kPool, 1000, AddressMode::anyip);
  if (auto made = bed->node().create_pool(spec); !made) return fail(std::move(made.error()));
  auto box = ContainerdBox::start(*bed, *components);
  if (!box) return fail(std::move(box.error()));

  std::array<Series, kNetworks.size()> series;
  for (std::size_t i = 0; i <= options.repeats(5); ++i) {
    if (auto done = round(*box, count, i, series); !done) return done;
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
