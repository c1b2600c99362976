// SPDX-License-Identifier: Apache-2.0
/// 100 pools of different tenants, by 8 processes at a time against one after another.
#include <deque>
#include <string>

#include "harness/testbed.hpp"
#include "support/processes.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr unsigned kPools = 100;
constexpr std::size_t kAtATime = 8;
/// No slower in total; the rest is the noise of two medians.
constexpr double kTarget = 1.0;

std::string name_of(unsigned i) {
  return "tenant-" + std::to_string(i);
}

Result<pid_t> start(const Testbed& bed, const std::string& particle, unsigned i) {
  return start_in(bed.netns(), create_pool_words(particle, bed.run_dir(), name_of(i), name_of(i),
                                                 5000 + i, "10.1.0.0/24", 100, "anyip"));
}

Result<void> delete_all(const Testbed& bed, unsigned pools) {
  for (unsigned i = 0; i < pools; ++i) {
    auto gone = bed.node().delete_pool(name_of(i), true);
    if (!gone) return fail(std::move(gone.error()));
  }
  return bed.settle();
}

/// Never more than `at_a_time` processes; milliseconds for all.
Result<double> create_all(const Testbed& bed, const std::string& particle, unsigned pools,
                          std::size_t at_a_time) {
  const auto begin = Clock::now();
  std::deque<pid_t> running;
  const auto reap = [&]() -> Result<void> {
    const pid_t oldest = running.front();
    running.pop_front();
    return wait_for(oldest, "particle create-pool");
  };
  for (unsigned i = 0; i < pools; ++i) {
    if (running.size() == at_a_time) {
      if (auto done = reap(); !done) return fail(std::move(done.error()));
    }
    auto pid = start(bed, particle, i);
    if (!pid) return fail(std::move(pid.error()));
    running.push_back(*pid);
  }
  while (!running.empty()) {
    if (auto done = reap(); !done) return fail(std::move(done.error()));
  }
  const double took = to_ms(Clock::now() - begin);
  if (auto done = delete_all(bed, pools); !done) return fail(std::move(done.error()));
  return took;
}

Result<void> work(const Options& options, Results& results) {
  auto particle = find_particle();
  if (!particle) return fail(std::move(particle.error()));
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  const unsigned pools = options.quick ? 16 : kPools;
  Comparison line;
  line.what = std::to_string(pools) + " pools of different tenants";
  line.left_name = "8 processes at a time";
  line.right_name = "one after another";
  line.at_most = kTarget;
  auto done = interleave(
      options.repeats(7), [&] { return create_all(*bed, *particle, pools, kAtATime); },
      [&] { return create_all(*bed, *particle, pools, 1); }, line.left, line.right);
  if (!done) return done;
  results.add(line);
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-concurrent",
      "100 pools of different tenants by 8 concurrent processes against one after another.",
      particle::bench::work);
}
