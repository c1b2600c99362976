// SPDX-License-Identifier: Apache-2.0
/// The designs that give every endpoint a veth pair.
#include "baselines/baseline.hpp"
#include "harness/designs.hpp"
#include "harness/machine.hpp"

namespace particle::bench {
namespace {

using Way = Result<baselines::Run> (*)(const baselines::Request&);

/// In place, nothing is moved, and the two netlink batches of S2 and S6 contain S5.
void drop_unused_steps(Sample& sample) {
  for (auto& step : sample.steps_ms) {
    if (step == 0.0) step.reset();
  }
}

Result<Sample> measure(const Testbed& bed, const Order& order, Way way) {
  const MemoryMeter memory;
  auto run = way({order.endpoints, order.progress, order.stop});
  if (!run) return fail(std::move(run.error()));
  Sample sample;
  sample.setup_ms = to_ms(run->total);
  for (std::size_t i = 0; i < kSteps; ++i) sample.steps_ms.at(i) = to_ms(run->steps.at(i));
  drop_unused_steps(sample);
  memory.read_into(sample);
  const auto start = Clock::now();
  run->remains.reset();
  sample.release_ms = to_ms(Clock::now() - start);
  if (auto done = bed.wait_until_gone(); !done) return fail(std::move(done.error()));
  sample.gone_ms = to_ms(Clock::now() - start);
  // A namespace that was given up last may have missed the batch that the canary went with.
  if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  return sample;
}

}  // namespace

MemoryMeter::MemoryMeter() : kernel_(kernel_memory_kib()), process_(own_memory_kib()) {}

void MemoryMeter::read_into(Sample& sample) const {
  sample.kernel_kib = kernel_memory_kib() - kernel_;
  sample.process_kib = own_memory_kib() - process_;
}

Result<Sample> measure_ip_commands(const Testbed& bed, const Order& order) {
  return measure(bed, order, baselines::run_ip_commands);
}

Result<Sample> measure_netlink_moved(const Testbed& bed, const Order& order) {
  return measure(bed, order, baselines::run_moved);
}

Result<Sample> measure_shared_namespace(const Testbed& bed, const Order& order) {
  return measure(bed, order, baselines::run_shared_namespace);
}

Result<Sample> measure_batched(const Testbed& bed, const Order& order) {
  return measure(bed, order, baselines::run_batched);
}

Result<Sample> measure_isolated_in_place(const Testbed& bed, const Order& order) {
  return measure(bed, order, baselines::run_in_place);
}

}  // namespace particle::bench
