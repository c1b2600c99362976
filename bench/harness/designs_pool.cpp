// SPDX-License-Identifier: Apache-2.0
/// The designs that are a pool of Particle's, made as any program makes one.
#include <cerrno>
#include <cstring>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>

#include <particle/unique_fd.hpp>

#include "harness/designs.hpp"

namespace particle::bench {
namespace {

constexpr const char* kMeasuredPool = "measured";

std::optional<std::size_t> step_of(Stage stage) {
  switch (stage) {
    case Stage::s1_namespace:
      return 0;
    case Stage::s2_veth:
      return 1;
    case Stage::s5_attach:
      return 4;
    case Stage::s6_addresses:
      return 5;
    case Stage::record:
    case Stage::vtep:
    case Stage::teardown:
      return std::nullopt;
  }
  return std::nullopt;
}

void book_steps(const Outcome& outcome, Sample& sample) {
  for (const auto& step : outcome.steps) {
    if (const auto at = step_of(step.stage)) {
      auto& slot = sample.steps_ms.at(*at);
      slot = slot.value_or(0) + to_ms(step.took);
    }
  }
}

Result<void> bind_once(const IpAddress& address) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  std::memcpy(&name.sin_addr, address.bytes().data(), sizeof(name.sin_addr));
  if (!socket.valid() ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
    return fail(Error::from_errno(errno, "bind to " + address.to_string()));
  }
  return {};
}

/// The first, the middle and the last endpoint can be bound: the pool is what it claims to be.
Result<void> check(const Testbed& bed, std::uint64_t endpoints) {
  const auto pool = bed.node().find_pool(kMeasuredPool);
  if (!pool) return fail(pool.error());
  if (pool->capacity != endpoints) {
    return fail(Error::of(Errc::conflict, "the pool has " + std::to_string(pool->capacity) +
                                              " endpoints, not " + std::to_string(endpoints)));
  }
  auto netns = bed.node().open_pool_netns(kMeasuredPool);
  if (!netns) return fail(std::move(netns.error()));
  return netns->run([&]() -> Result<void> {
    for (const std::uint64_t i : {std::uint64_t{0}, endpoints / 2, endpoints - 1}) {
      const auto address = pool->primary_v4.value().plus(i);
      if (!address) return fail(Error::of(Errc::conflict, "an endpoint beyond the last address"));
      if (auto done = bind_once(*address); !done) return done;
    }
    return {};
  });
}

Result<void> give_up(const Testbed& bed, Sample& sample) {
  const auto start = Clock::now();
  auto released = timed_delete(bed.node(), kMeasuredPool);
  if (!released) return fail(std::move(released.error()));
  sample.release_ms = *released;
  if (auto done = bed.wait_until_gone(); !done) return done;
  sample.gone_ms = to_ms(Clock::now() - start);
  return bed.settle();
}

/// One pool's memory drowns in what the rest of the kernel allocates meanwhile: so many are made.
unsigned pools_to_weigh(std::uint64_t endpoints, AddressMode mode) {
  if (mode == AddressMode::anyip || endpoints <= 100) return 16;
  return endpoints <= 1000 ? 4 : 1;
}

/// Memory of a pool, from the growth over several that are there at once.
Result<void> weigh(const Testbed& bed, const Order& order, AddressMode mode, Sample& sample) {
  const unsigned pools = pools_to_weigh(order.endpoints, mode);
  const auto name = [](unsigned i) { return "weighed-" + std::to_string(i); };
  ApplyOptions options;
  options.stop = order.stop;
  const MemoryMeter memory;
  Result<void> made;
  unsigned count = 0;
  for (; count < pools && made; ++count) {
    const auto spec = spec_of(name(count), order.endpoints, mode, 2 + count);
    if (auto created = bed.node().create_pool(spec, options); !created) {
      made = fail(std::move(created.error()));
    }
  }
  memory.read_into(sample);
  sample.kernel_kib /= pools;
  sample.process_kib /= pools;
  for (unsigned i = 0; i < count; ++i) {
    auto gone = bed.node().delete_pool(name(i), true);
    if (!gone && made) made = fail(std::move(gone.error()));
  }
  if (!made) return made;
  return bed.settle();
}

Result<Sample> measure(const Testbed& bed, const Order& order, AddressMode mode) {
  Sample sample;
  ApplyOptions options;
  options.stop = order.stop;
  const auto start = Clock::now();
  auto made = bed.node().create_pool(spec_of(kMeasuredPool, order.endpoints, mode), options);
  sample.setup_ms = to_ms(Clock::now() - start);
  if (!made) return fail(std::move(made.error()));
  book_steps(made->outcome, sample);
  auto checked = check(bed, order.endpoints);
  auto gone = give_up(bed, sample);
  if (!checked) return fail(std::move(checked.error()));
  if (!gone) return fail(std::move(gone.error()));
  if (auto weighed = weigh(bed, order, mode, sample); !weighed) {
    return fail(std::move(weighed.error()));
  }
  if (order.progress) order.progress(order.endpoints);
  return sample;
}

}  // namespace

Result<Sample> measure_consolidated(const Testbed& bed, const Order& order) {
  return measure(bed, order, AddressMode::secondary);
}

Result<Sample> measure_anyip(const Testbed& bed, const Order& order) {
  return measure(bed, order, AddressMode::anyip);
}

}  // namespace particle::bench
