// SPDX-License-Identifier: Apache-2.0
/// Bursts of real containers under real engines: as the engines connect them, and in a pool.
#include <memory>

#include "engines/engine.hpp"
#include "harness/designs.hpp"
#include "harness/machine.hpp"

namespace particle::bench {
namespace {

constexpr const char* kContainersPool = "containers";

std::string_view name_of(EngineKind kind) {
  switch (kind) {
    case EngineKind::containerd:
      return "containerd";
    case EngineKind::docker:
      return "docker";
    case EngineKind::podman:
      break;
  }
  return "podman";
}

/// One of each kind runs, from its first measurement to the testbed's end; what failed once is not
/// tried again.
Result<Engine*> engine_of(const Testbed& bed, EngineKind kind) {
  using Started = Result<std::unique_ptr<Engine>>;
  const std::string name(name_of(kind));
  auto kept = bed.kept<Started>(name);
  if (!kept) {
    kept = std::make_shared<Started>(
        start_engine(kind, {bed.netns(), bed.run_dir() + "/" + name, bed.run_dir()}));
    bed.keep(name, kept);
  }
  if (!*kept) return fail(kept->error());
  return kept->value().get();
}

/// Names that no earlier container had: the reference IPAM never forgets one.
std::vector<std::string> fresh_ids(std::uint64_t count) {
  static std::uint64_t made = 0;
  std::vector<std::string> ids;
  ids.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) ids.push_back("c" + std::to_string(made++));
  return ids;
}

/// A pool is part of what a burst needs, and of what it leaves.
Result<double> make_pool(const Testbed& bed, Network network, std::uint64_t count) {
  if (network != Network::pool) return 0.0;
  return timed_create(bed.node(), spec_of(kContainersPool, count, AddressMode::secondary));
}
Result<double> delete_pool(const Testbed& bed, Network network) {
  if (network != Network::pool) return 0.0;
  return timed_delete(bed.node(), kContainersPool);
}

struct Memory {
  double kernel = kernel_memory_kib();
  double processes = 0;
  explicit Memory(const Engine& engine) : processes(engine.box().memory_kib()) {}
};

/// Whatever the engine removed has given its address back.
Result<void> check_leases(const Testbed& bed, Network network) {
  if (network != Network::pool) return {};
  const auto leases = bed.node().leases(kContainersPool);
  if (!leases) return fail(leases.error());
  if (leases->empty()) return {};
  return fail(Error::of(Errc::conflict, std::to_string(leases->size()) +
                                            " leases are left of containers that were removed"));
}

/// The time so far, or the first error; both attempts are made whatever becomes of the other.
Result<double> give_up(const Testbed& bed, const Engine& engine, Network network,
                       const std::vector<std::string>& ids) {
  auto removed = remove_containers(engine, ids);
  auto clean = check_leases(bed, network);
  auto deleted = delete_pool(bed, network);
  if (!removed) return removed;
  if (!clean) return fail(std::move(clean.error()));
  if (!deleted) return deleted;
  return *removed + *deleted;
}

Result<void> run_burst(const Testbed& bed, const Order& order, const Engine& engine,
                       Network network, const std::vector<std::string>& ids, Sample& sample) {
  const Memory before(engine);
  const auto pool = make_pool(bed, network, order.endpoints);
  if (!pool) return fail(pool.error());
  const auto started = start_containers(engine, network, kContainersPool, ids, order.stop);
  if (!started) return fail(started.error());
  sample.setup_ms = *pool + *started;
  const Memory after(engine);
  sample.kernel_kib = after.kernel - before.kernel;
  sample.process_kib = after.processes - before.processes;
  return check_containers(engine, network, ids);
}

Result<Sample> measure(const Testbed& bed, const Order& order, EngineKind kind, Network network) {
  if (order.stop.stop_requested()) return fail(Error::of(Errc::interrupted, "the burst"));
  auto engine = engine_of(bed, kind);
  if (!engine) return fail(std::move(engine.error()));
  if (auto done = (*engine)->prepare(network); !done) return fail(std::move(done.error()));
  const auto ids = fresh_ids(order.endpoints);
  Sample sample;
  auto ran = run_burst(bed, order, **engine, network, ids, sample);
  const auto start = Clock::now();
  auto given_up = give_up(bed, **engine, network, ids);
  // What failed to start cannot be removed either.
  if (!ran) return fail(std::move(ran.error()));
  if (!given_up) return fail(std::move(given_up.error()));
  sample.release_ms = *given_up;
  if (auto done = bed.wait_until_gone(); !done) return fail(std::move(done.error()));
  sample.gone_ms = to_ms(Clock::now() - start);
  if (auto done = bed.settle(); !done) return fail(std::move(done.error()));
  if (order.progress) order.progress(order.endpoints);
  return sample;
}

}  // namespace

template <EngineKind kind, Network network>
Result<Sample> measure_containers(const Testbed& bed, const Order& order) {
  return measure(bed, order, kind, network);
}

template Result<Sample> measure_containers<EngineKind::docker, Network::none>(const Testbed&,
                                                                              const Order&);
template Result<Sample> measure_containers<EngineKind::docker, Network::bridge>(const Testbed&,
                                                                                const Order&);
template Result<Sample> measure_containers<EngineKind::docker, Network::overlay>(const Testbed&,
                                                                                 const Order&);
template Result<Sample> measure_containers<EngineKind::docker, Network::pool>(const Testbed&,
                                                                              const Order&);
template Result<Sample> measure_containers<EngineKind::containerd, Network::none>(const Testbed&,
                                                                                  const Order&);
template Result<Sample> measure_containers<EngineKind::containerd, Network::bridge>(const Testbed&,
                                                                                    const Order&);
template Result<Sample> measure_containers<EngineKind::containerd, Network::pool>(const Testbed&,
                                                                                  const Order&);
template Result<Sample> measure_containers<EngineKind::podman, Network::none>(const Testbed&,
                                                                              const Order&);
template Result<Sample> measure_containers<EngineKind::podman, Network::bridge>(const Testbed&,
                                                                                const Order&);
template Result<Sample> measure_containers<EngineKind::podman, Network::pool>(const Testbed&,
                                                                              const Order&);

}  // namespace particle::bench
