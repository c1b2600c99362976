// SPDX-License-Identifier: Apache-2.0
#include "baselines/links.hpp"

#include <utility>

namespace particle::baselines {

Message address_of(std::uint64_t i, IfIndex device) {
  return encode_addr({.device = device,
                      .address = container_address(i),
                      .prefix_length = kContainerPrefix,
                      .no_prefix_route = false});
}

VethSpec pair_to_move(std::uint64_t i) {
  VethSpec veth;
  veth.name = "v" + std::to_string(i);
  veth.index = IfIndex{kFirstDevice + 2 * static_cast<std::uint32_t>(i)};
  veth.peer_name = "g" + std::to_string(i);
  veth.peer_index = IfIndex{veth.index.value + 1};
  return veth;
}

Message attach_near_end(std::uint64_t i) {
  LinkChange port = raise(pair_to_move(i).index);
  port.master = bridge_of(i);
  return encode_link_change(port);
}

Result<NetNs> guest_of(const Remains& world, std::uint64_t i) {
  return world.guests.at(world.shared ? 0 : static_cast<std::size_t>(i)).duplicate();
}

namespace {

Result<void> connect_all(const Request& request, Prepare prepare, Connect connect, Remains& world,
                         Run& run) {
  StepClock clock(run);
  if (prepare != nullptr) {
    if (auto done = prepare(world, clock); !done) return done;
  }
  for (std::uint64_t i = 0; i < request.containers; ++i) {
    if (request.stop.stop_requested()) return fail(Error::of(Errc::interrupted, "the baseline"));
    if (auto done = connect(world, i, clock); !done) return done;
    ++run.containers;
    if (request.progress) request.progress(run.containers);
  }
  return {};
}

}  // namespace

Result<Run> run_on_node(const Request& request,
                        const std::function<Result<void>(Remains&, Run&)>& make) {
  auto node = make_scratch_node(request.containers);
  if (!node) return fail(std::move(node.error()));
  auto world = std::make_shared<Remains>(Remains{std::move(*node), {}, {}});
  world->guests.reserve(request.containers);

  Run run;
  const auto start = std::chrono::steady_clock::now();
  if (auto done = make(*world, run); !done) return fail(std::move(done.error()));
  run.total = std::chrono::steady_clock::now() - start;
  auto made = check_made(world->node.vtep.netns, request.containers,
                         [&](std::uint64_t i) { return guest_of(*world, i); });
  if (!made) return fail(std::move(made.error()));
  run.remains = std::move(world);
  return run;
}

Result<Run> run_each(const Request& request, Prepare prepare, Connect connect) {
  return run_on_node(request, [&](Remains& world, Run& run) {
    return connect_all(request, prepare, connect, world, run);
  });
}

}  // namespace particle::baselines
