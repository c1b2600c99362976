// SPDX-License-Identifier: Apache-2.0
/// A pool against connecting its N containers the usual way.
#include <optional>
#include <string>
#include <vector>

#include "baselines/baseline.hpp"
#include "harness/testbed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr double kPaperTarget = 1000;
constexpr double kInPlaceTarget = 50;

using Way = Result<baselines::Run> (*)(const baselines::Request&);

Result<double> usual_way(const Testbed& bed, Way way, std::uint64_t count) {
  baselines::Request request;
  request.containers = count;
  double took = 0;
  {
    auto run = way(request);
    if (!run) return fail(std::move(run.error()));
    took = to_ms(run->total);
  }
  // The second round begins when the kernel has freed all of what the first one saw vanish.
  for (int round = 0; round < 2; ++round) {
    if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  }
  return took;
}

Result<double> pool(const Testbed& bed, std::uint64_t count, AddressMode mode) {
  auto took = timed_create(bed.node(), spec_of("measured", count, mode));
  if (!took) return took;
  if (auto gone = timed_delete(bed.node(), "measured"); !gone) return gone;
  if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  return took;
}

struct Plan {
  std::string what;
  Way way;
  std::uint64_t count;
  AddressMode mode;
  std::size_t repeats;
  std::optional<double> at_least;
};

Result<void> measure(const Testbed& bed, const Plan& plan, Results& results) {
  Comparison line;
  line.what = "N=" + std::to_string(plan.count) + ", " + plan.what;
  line.left_name = "pool (" + std::string(to_string(plan.mode)) + ")";
  line.right_name = "usual way";
  line.at_least = plan.at_least;
  line.right_over_left = true;
  auto done = interleave(
      plan.repeats, [&] { return pool(bed, plan.count, plan.mode); },
      [&] { return usual_way(bed, plan.way, plan.count); }, line.left, line.right);
  if (!done) return done;
  results.add(line);
  return {};
}

Result<void> work(const Options& options, Results& results) {
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  const std::uint64_t hundred = options.quick ? 10 : 100;
  const auto target = [&](double value) {
    return options.quick ? std::optional<double>() : std::optional<double>(value);
  };
  std::vector<Plan> plans{{"namespace + veth each, in place", baselines::run_in_place, hundred,
                           AddressMode::anyip, options.repeats(31), target(kInPlaceTarget)},
                          {"namespace + veth each, in place", baselines::run_in_place, hundred,
                           AddressMode::automatic, options.repeats(31), target(kInPlaceTarget)},
                          {"namespace + veth each, both ends moved",
                           baselines::run_moved,
                           hundred,
                           AddressMode::automatic,
                           options.repeats(5),
                           {}}};
  if (!baselines::find_ip_command().empty()) {
    plans.push_back({"one ip command per step (the paper's)", baselines::run_ip_commands, hundred,
                     AddressMode::automatic, options.repeats(5), target(kPaperTarget)});
  } else {
    results.note("skipped: one ip command per step: there is no ip command");
  }
  if (!options.quick) {
    plans.push_back({"namespace + veth each, in place", baselines::run_in_place, 1000,
                     AddressMode::automatic, 3, target(kInPlaceTarget)});
  }
  for (const auto& plan : plans) {
    if (auto done = measure(*bed, plan, results); !done) return done;
  }
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-baseline",
      "A pool against a namespace and a veth per container, made in three ways.",
      particle::bench::work);
}
