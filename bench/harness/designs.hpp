// SPDX-License-Identifier: Apache-2.0
/// How each design is measured; see Design::measure.
#pragma once

#include "engines/engine.hpp"
#include "harness/design.hpp"

namespace particle::bench {

Result<Sample> measure_ip_commands(const Testbed& bed, const Order& order);
Result<Sample> measure_netlink_moved(const Testbed& bed, const Order& order);
Result<Sample> measure_shared_namespace(const Testbed& bed, const Order& order);
Result<Sample> measure_batched(const Testbed& bed, const Order& order);
Result<Sample> measure_isolated_in_place(const Testbed& bed, const Order& order);
Result<Sample> measure_consolidated(const Testbed& bed, const Order& order);
Result<Sample> measure_anyip(const Testbed& bed, const Order& order);

/// A burst of containers. Instantiated for what designs() lists.
template <EngineKind kind, Network network>
Result<Sample> measure_containers(const Testbed& bed, const Order& order);

/// Memory before, and what was taken since.
class MemoryMeter {
 public:
  MemoryMeter();
  void read_into(Sample& sample) const;

 private:
  double kernel_;
  double process_;
};

}  // namespace particle::bench
