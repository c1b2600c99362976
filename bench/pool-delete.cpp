// SPDX-License-Identifier: Apache-2.0
/// Deleting a pool: when the call returns, and when the kernel has taken the namespace apart.
#include <string>

#include "harness/testbed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

/// Deleting takes at most this many times what creating takes.
constexpr double kTarget = 2.0;

struct Times {
  Series create;
  Series remove;
  Series deferred;  ///< from the call's return to the end of the namespace
};

Result<void> once(const Testbed& bed, std::uint64_t count, AddressMode mode, Times& times) {
  auto created = timed_create(bed.node(), spec_of("measured", count, mode));
  if (!created) return fail(std::move(created.error()));
  std::string sensor;
  {
    auto netns = bed.node().open_pool_netns("measured");
    if (!netns) return fail(std::move(netns.error()));
    auto planted = bed.plant_sensor(*netns);
    if (!planted) return fail(std::move(planted.error()));
    sensor = *planted;
  }
  auto deleted = timed_delete(bed.node(), "measured");
  if (!deleted) return fail(std::move(deleted.error()));
  const auto returned = Clock::now();
  if (auto done = bed.wait_for_end_of(sensor); !done) return done;
  times.create.add(*created);
  times.remove.add(*deleted);
  times.deferred.add(to_ms(Clock::now() - returned));
  return bed.settle();
}

Result<void> measure(const Testbed& bed, std::uint64_t count, AddressMode mode,
                     const Options& options, Results& results) {
  Times times;
  for (std::size_t i = 0; i < options.repeats(31); ++i) {
    if (auto done = once(bed, count, mode, times); !done) return done;
  }
  const std::string what = "N=" + std::to_string(count) + ", " + std::string(to_string(mode));
  Comparison line;
  line.what = "delete against create, " + what;
  line.left_name = "delete";
  line.left = times.remove;
  line.right_name = "create";
  line.right = times.create;
  line.at_most = kTarget;
  results.add(line);
  results.add("deferred clean-up in the kernel, " + what, times.deferred);
  return {};
}

Result<void> work(const Options& options, Results& results) {
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  for (const auto mode : {AddressMode::anyip, AddressMode::secondary}) {
    for (const std::uint64_t count : {1U, 100U, 1000U}) {
      if (auto done = measure(*bed, count, mode, options, results); !done) return done;
    }
  }
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-pool-delete",
      "Deleting a pool against creating it, and the kernel's deferred clean-up.",
      particle::bench::work);
}
