// SPDX-License-Identifier: Apache-2.0
/// The whole process `particle create-pool` against Node::create_pool in a running one.
#include <string>

#include "harness/testbed.hpp"
#include "support/processes.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr double kTarget = 3.0;
constexpr std::uint64_t kCount = 1000;

Result<double> remove_and_settle(const Testbed& bed, double took) {
  if (auto gone = timed_delete(bed.node(), "measured"); !gone) return gone;
  if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  return took;
}

Result<double> in_process(const Testbed& bed) {
  auto took = timed_create(bed.node(), spec_of("measured", kCount, AddressMode::anyip));
  if (!took) return took;
  return remove_and_settle(bed, *took);
}

Result<double> whole_process(const Testbed& bed, const std::string& particle) {
  const auto words = create_pool_words(particle, bed.run_dir(), "measured", kTenant, kVni,
                                       "10.2.0.0/16", kCount, "anyip");
  const auto start = Clock::now();
  auto pid = start_in(bed.netns(), words);
  if (!pid) return fail(std::move(pid.error()));
  if (auto done = wait_for(*pid, "particle create-pool"); !done)
    return fail(std::move(done.error()));
  return remove_and_settle(bed, to_ms(Clock::now() - start));
}

/// What starting any program costs here, for the reader's orientation.
Result<double> empty_process(const Testbed& bed) {
  const auto start = Clock::now();
  auto pid = start_in(bed.netns(), {"/bin/true"});
  if (!pid) return fail(std::move(pid.error()));
  if (auto done = wait_for(*pid, "/bin/true"); !done) return fail(std::move(done.error()));
  return to_ms(Clock::now() - start);
}

Result<void> work(const Options& options, Results& results) {
  auto particle = find_particle();
  if (!particle) return fail(std::move(particle.error()));
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  Comparison line;
  line.what = "particle create-pool, N=1,000, anyip";
  line.left_name = "whole process";
  line.right_name = "in process";
  line.at_most = kTarget;
  auto done = interleave(
      options.repeats(31), [&] { return whole_process(*bed, *particle); },
      [&] { return in_process(*bed); }, line.left, line.right);
  if (!done) return done;
  results.add(line);
  Series empty;
  for (std::size_t i = 0; i < options.repeats(31); ++i) {
    auto took = empty_process(*bed);
    if (!took) return fail(std::move(took.error()));
    empty.add(*took);
  }
  results.add("starting /bin/true the same way", empty);
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-process",
      "The whole process `particle create-pool` against the same call in a running process.",
      particle::bench::work);
}
