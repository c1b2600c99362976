// SPDX-License-Identifier: Apache-2.0
/// Taking and giving back an endpoint, with few and with many leases held.
#include <algorithm>
#include <chrono>
#include <string>

#include "harness/testbed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

Result<double> lease_and_release(const Node& node, const std::string& holder, Series& leases,
                                 Series& releases) {
  LeaseRequest request;
  request.pool = "measured";
  request.holder = holder;
  const auto start = Clock::now();
  auto leased = node.lease(request);
  const auto taken = Clock::now();
  if (!leased) return fail(std::move(leased.error()));
  auto released = node.release(request.pool, holder);
  if (!released) return fail(std::move(released.error()));
  leases.add(to_ms(taken - start));
  releases.add(to_ms(Clock::now() - taken));
  return leases.median();
}

/// Holds `count` endpoints under names of their own, in a few batches.
Result<void> hold(const Node& node, std::uint64_t from, std::uint64_t to) {
  constexpr std::uint64_t kBatch = 500;
  for (std::uint64_t i = from; i < to; i += kBatch) {
    LeaseRequest request;
    request.pool = "measured";
    request.holder = "held-" + std::to_string(i);
    request.count = std::min(kBatch, to - i);
    if (auto leased = node.lease(request); !leased) return fail(std::move(leased.error()));
  }
  return {};
}

Result<Series> measure(const Node& node, std::uint64_t held, std::size_t repeats,
                       Results& results) {
  Series leases;
  Series releases;
  for (std::size_t i = 0; i < repeats; ++i) {
    auto done = lease_and_release(node, "c" + std::to_string(i), leases, releases);
    if (!done) return fail(std::move(done.error()));
  }
  const std::string when = ", " + std::to_string(held) + " held before";
  results.add("lease" + when, leases);
  results.add("release" + when, releases);
  return leases;
}

Result<void> work(const Options& options, Results& results) {
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  auto spec = spec_of("measured", 20000, AddressMode::anyip);
  spec.cooldown = std::chrono::milliseconds(0);
  if (auto made = bed->node().create_pool(spec); !made) return fail(std::move(made.error()));
  std::uint64_t held = 0;
  double first = 0;
  for (const std::uint64_t wanted : {0U, 999U, 9999U}) {
    if (auto done = hold(bed->node(), held, wanted); !done) return done;
    held = wanted;
    auto leases = measure(bed->node(), held, options.repeats(101), results);
    if (!leases) return fail(std::move(leases.error()));
    if (wanted == 0) first = leases->median();
    if (wanted != 0) {
      results.add_ratio("lease " + std::to_string(wanted + 1) + " against the first",
                        leases->median() / first, {});
    }
  }
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-lease",
      "Taking and giving back an endpoint: the 1st, the 1,000th and the 10,000th.",
      particle::bench::work);
}
