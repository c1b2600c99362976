// SPDX-License-Identifier: Apache-2.0
/// What `particle trace` costs what it traces: the same making with and without it.
#include <array>
#include <string>

#include "harness/record.hpp"
#include "harness/testbed.hpp"
#include "support/processes.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr double kTarget = 1.03;

struct Workload {
  const char* design;
  std::uint64_t endpoints;
  const char* what;
};
constexpr std::array kWorkloads{
    Workload{"ip-commands", 20, "a process for each step"},
    Workload{"netlink-moved", 50, "moves, waiting for RCU most of the time"},
    Workload{"isolated-in-place", 50, "busy in the kernel all the time"},
    Workload{"consolidated", 1000, "one step of 10 ms, nine of less"}};

/// Milliseconds that one making took by its own clock, in a process of its own.
Result<double> measure(const Testbed& bed, const std::string& particle, const Workload& workload,
                       bool traced) {
  const std::string file = bed.run_dir() + "/results.json";
  // Only the results are wanted: the tables go nowhere.
  std::vector<std::string> words{"/bin/sh", "-c", R"(exec "$@" 2>/dev/null)", "sh", particle};
  if (traced)
    words.insert(words.end(), {"trace", "--out", bed.run_dir() + "/trace.json", "--", particle});
  words.insert(words.end(), {"bench", "--design", workload.design, "--endpoints",
                             std::to_string(workload.endpoints), "--repeats", "1",
                             "--although-busy", "--out", file});
  const auto pid = start_in(bed.netns(), words);
  if (!pid) return fail(pid.error());
  if (auto done = wait_for(*pid, "particle bench"); !done) return fail(std::move(done.error()));
  const auto record = read_record(file);
  if (!record) return fail(record.error());
  const Figure* figure = record->find(workload.design, workload.endpoints);
  if (figure == nullptr) return fail(Error::of(Errc::not_found, "the figure"));
  return figure->setup_ms.median();
}

Result<void> work(const Options& options, Results& results) {
  const auto particle = find_particle();
  if (!particle) return fail(particle.error());
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  for (const auto& workload : kWorkloads) {
    Comparison line;
    line.what = std::string(workload.design) + ", N=" + std::to_string(workload.endpoints) + ": " +
                workload.what;
    line.left_name = "traced";
    line.right_name = "untraced";
    line.at_most = kTarget;
    auto done = interleave(
        options.repeats(9), [&] { return measure(*bed, *particle, workload, true); },
        [&] { return measure(*bed, *particle, workload, false); }, line.left, line.right);
    if (!done) return done;
    results.add(line);
  }
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(argc, argv, "bench-trace-cost",
                                      "What particle trace costs what it traces.",
                                      particle::bench::work);
}
