// SPDX-License-Identifier: Apache-2.0
/// Making a pool, against the same kernel calls in raw libmnl; how cost depends on N, in time and in
/// kernel memory.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "harness/machine.hpp"
#include "harness/testbed.hpp"
#include "support/floor_on_bed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr double kFloorTarget = 1.10;
constexpr double kConstantTarget = 1.20;

/// Creates, deletes, waits for the kernel to be done; returns the time of the creation.
Result<double> particle_once(const Testbed& bed, std::uint64_t count, AddressMode mode) {
  auto took = timed_create(bed.node(), spec_of("measured", count, mode));
  if (!took) return took;
  if (auto gone = timed_delete(bed.node(), "measured"); !gone) return gone;
  if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  return took;
}

Result<double> floor_once(const Testbed& bed, std::uint64_t count, AddressMode mode) {
  auto times = floor_on(bed, count, mode);
  if (!times) return fail(std::move(times.error()));
  return times->total;
}

/// Where the time of a pool goes: libparticle's steps, and the floor's parts.
Result<void> parts(const Testbed& bed, AddressMode mode, std::size_t repeats, Results& results) {
  constexpr std::uint64_t kCount = 100;
  std::vector<std::pair<std::string, Series>> series;
  const auto book = [&](std::size_t at, const std::string& name, double value) {
    if (at == series.size()) series.emplace_back(name, Series{});
    series[at].second.add(value);
  };
  for (std::size_t i = 0; i < repeats; ++i) {
    ApplyOptions options;
    options.step_by_step = true;
    const auto start = Clock::now();
    auto made = bed.node().create_pool(spec_of("measured", kCount, mode), options);
    double rest = to_ms(Clock::now() - start);
    if (!made) return fail(std::move(made.error()));
    if (auto gone = timed_delete(bed.node(), "measured"); !gone)
      return fail(std::move(gone.error()));
    if (auto done = bed.settle(); !done) return done;
    std::size_t at = 0;
    for (const auto& step : made->outcome.steps) {
      rest -= to_ms(step.took);
      book(at++, std::string(to_string(step.stage)) + " " + step.name, to_ms(step.took));
    }
    book(at++, "locks, records read, planning", rest);
    auto floor = floor_on(bed, kCount, mode);
    if (!floor) return fail(std::move(floor.error()));
    book(at++, "floor: namespace, sysctls, sockets", floor->namespace_and_sockets);
    book(at++, "floor: pin", floor->pin);
    book(at++, "floor: veth, attach, FDB", floor->vtep);
    book(at++, "floor: raise, addresses, routes", floor->guest);
  }
  for (const auto& [name, values] : series) {
    results.add("part, N=100, " + std::string(to_string(mode)) + ": " + name, values);
  }
  return {};
}

Result<void> against_floor(const Testbed& bed, std::uint64_t count, AddressMode mode,
                           std::size_t repeats, Results& results) {
  Comparison line;
  line.what = "create, N=" + std::to_string(count) + ", " + std::string(to_string(mode));
  line.left_name = "particle";
  line.right_name = "raw libmnl";
  line.at_most = kFloorTarget;
  auto done = interleave(
      repeats, [&] { return particle_once(bed, count, mode); },
      [&] { return floor_once(bed, count, mode); }, line.left, line.right);
  if (!done) return done;
  results.add(line);
  return {};
}

Result<void> constant_in_n(const Testbed& bed, std::size_t repeats, Results& results) {
  Comparison line;
  line.what = "create, anyip, N=65,000 against N=1";
  line.left_name = "N=65,000";
  line.right_name = "N=1";
  line.at_most = kConstantTarget;
  auto done = interleave(
      repeats, [&] { return particle_once(bed, 65000, AddressMode::anyip); },
      [&] { return particle_once(bed, 1, AddressMode::anyip); }, line.left, line.right);
  if (!done) return done;
  results.add(line);
  return {};
}

/// The curve: the kernel walks the device's address list for each address that it adds.
Result<void> secondary_curve(const Testbed& bed, const Options& options, Results& results) {
  std::vector<std::uint64_t> sizes{1, 10, 100, 400, 1000};
  if (!options.quick) sizes.insert(sizes.end(), {2000, 4000});
  for (const auto count : sizes) {
    Series series;
    const std::size_t repeats = options.repeats(count > 1000 ? 5 : 15);
    for (std::size_t i = 0; i < repeats; ++i) {
      auto took = particle_once(bed, count, AddressMode::secondary);
      if (!took) return fail(std::move(took.error()));
      series.add(*took);
    }
    results.add("curve: create, secondary, N=" + std::to_string(count), series);
  }
  return {};
}

/// KiB of kernel memory per pool, from the growth over many.
Result<double> memory_per_pool(const Testbed& bed, std::uint64_t count, unsigned pools) {
  if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  const double before = kernel_memory_kib();
  for (unsigned i = 0; i < pools; ++i) {
    const auto spec = spec_of("memory-" + std::to_string(i), count, AddressMode::anyip, 2 + i);
    if (auto made = bed.node().create_pool(spec); !made) return fail(std::move(made.error()));
  }
  const double after = kernel_memory_kib();
  for (unsigned i = 0; i < pools; ++i) {
    auto gone = bed.node().delete_pool("memory-" + std::to_string(i), true);
    if (!gone) return fail(std::move(gone.error()));
  }
  return (after - before) / pools;
}

Result<void> memory(const Testbed& bed, const Options& options, Results& results) {
  const unsigned pools = options.quick ? 8 : 100;
  Comparison line;
  line.what = "kernel memory of a pool, anyip";
  line.left_name = "N=65,000";
  line.right_name = "N=1";
  line.unit = "KiB";
  line.at_most = kConstantTarget;
  auto done = interleave(
      options.repeats(7), [&] { return memory_per_pool(bed, 65000, pools); },
      [&] { return memory_per_pool(bed, 1, pools); }, line.left, line.right);
  if (!done) return done;
  results.add(line);
  return {};
}

Result<void> work(const Options& options, Results& results) {
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  for (const auto mode : {AddressMode::anyip, AddressMode::secondary}) {
    for (const std::uint64_t count : {1U, 100U, 1000U}) {
      // A single pair is worth 15% either way; of 301 the medians are worth 2%.
      const std::size_t repeats = count == 1000 && mode == AddressMode::secondary ? 101 : 301;
      auto done = against_floor(*bed, count, mode, options.repeats(repeats), results);
      if (!done) return done;
    }
  }
  for (const auto mode : {AddressMode::anyip, AddressMode::secondary}) {
    if (auto done = parts(*bed, mode, options.repeats(31), results); !done) return done;
  }
  if (auto done = constant_in_n(*bed, options.repeats(31), results); !done) return done;
  if (auto done = memory(*bed, options, results); !done) return done;
  return secondary_curve(*bed, options, results);
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-pool-create",
      "Making a pool against the same kernel calls in raw libmnl; time and memory over N.",
      particle::bench::work);
}
