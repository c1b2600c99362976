// SPDX-License-Identifier: Apache-2.0
/// The two baselines that speak netlink themselves. They differ in one thing: where the veth's ends
/// are born.
#include <algorithm>
#include <vector>

#include <particle/addr.hpp>

#include "baselines/baseline.hpp"
#include "baselines/scratch_node.hpp"

namespace particle::baselines {
namespace {

using Clock = std::chrono::steady_clock;

/// What a run leaves behind: the node, its VTEP and a namespace per container.
struct Remains {
  ScratchNode node;
  std::vector<NetNs> guests;
};

/// Books the time since the last call on a step.
class StepClock {
 public:
  explicit StepClock(Run& run) : run_(run), last_(Clock::now()) {}
  void book(std::size_t step) {
    const auto now = Clock::now();
    run_.steps.at(step - 1) += now - last_;
    last_ = now;
  }

 private:
  Run& run_;
  Clock::time_point last_;
};

LinkChange raise(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return change;
}

Message address_of(std::uint64_t i, IfIndex device) {
  return encode_addr({.device = device,
                      .address = container_address(i),
                      .prefix_length = kContainerPrefix,
                      .no_prefix_route = false});
}

Result<void> connect_in_place(Remains& world, std::uint64_t i, StepClock& clock) {
  auto guest = create_netns();
  if (!guest) return fail(std::move(guest.error()));
  clock.book(1);

  constexpr IfIndex kLo{1};
  constexpr IfIndex kEth0{2};
  const IfIndex port{kFirstDevice + static_cast<std::uint32_t>(i)};
  VethSpec veth;
  veth.name = "v" + std::to_string(i);
  veth.index = port;
  veth.master = kBridge;
  veth.peer_name = "eth0";
  veth.peer_index = kEth0;
  veth.peer_netns_fd = guest->netns.fd();
  const std::array near_end{encode_veth(veth), encode_link_change(raise(port))};
  if (auto done = world.node.vtep.session.apply(near_end); !done) return done;
  clock.book(2);

  const std::array guest_end{encode_link_change(raise(kLo)), encode_link_change(raise(kEth0)),
                             address_of(i, kEth0)};
  if (auto done = guest->session.apply(guest_end); !done) return done;
  world.guests.push_back(std::move(guest->netns));
  clock.book(6);
  return {};
}

/// S5: the near end onto the bridge and up, the guest end renamed and up.
Result<void> attach_moved(Session& vtep, Session& guest, IfIndex near_end, IfIndex far_end) {
  LinkChange port = raise(near_end);
  port.master = kBridge;
  if (auto done = vtep.apply(encode_link_change(port)); !done) return done;
  LinkChange eth0 = raise(far_end);
  eth0.new_name = "eth0";
  const std::array requests{encode_link_change(raise(IfIndex{1})), encode_link_change(eth0)};
  return guest.apply(requests);
}

Result<void> connect_moved(Remains& world, std::uint64_t i, StepClock& clock) {
  auto guest = create_netns();
  if (!guest) return fail(std::move(guest.error()));
  clock.book(1);

  // A device keeps its index when it is moved, as long as the index is free there.
  const IfIndex near_end{kFirstDevice + 2 * static_cast<std::uint32_t>(i)};
  const IfIndex far_end{near_end.value + 1};
  VethSpec veth;
  veth.name = "v" + std::to_string(i);
  veth.index = near_end;
  veth.peer_name = "g" + std::to_string(i);
  veth.peer_index = far_end;
  Session& node = world.node.node.session;
  if (auto done = node.apply(encode_veth(veth)); !done) return done;
  clock.book(2);

  if (auto done = node.apply(encode_link_move(veth.name, world.node.vtep.netns.fd())); !done) {
    return done;
  }
  clock.book(3);
  if (auto done = node.apply(encode_link_move(veth.peer_name, guest->netns.fd())); !done) {
    return done;
  }
  clock.book(4);

  auto attached = attach_moved(world.node.vtep.session, guest->session, near_end, far_end);
  if (!attached) return attached;
  clock.book(5);
  if (auto done = guest->session.apply(address_of(i, far_end)); !done) return done;
  world.guests.push_back(std::move(guest->netns));
  clock.book(6);
  return {};
}

using Connect = Result<void> (*)(Remains&, std::uint64_t, StepClock&);

Result<Run> run(const Request& request, Connect connect) {
  auto node = make_scratch_node();
  if (!node) return fail(std::move(node.error()));
  auto world = std::make_shared<Remains>(Remains{std::move(*node), {}});
  world->guests.reserve(request.containers);

  Run run;
  const auto start = Clock::now();
  StepClock clock(run);
  for (std::uint64_t i = 0; i < request.containers; ++i) {
    if (request.stop.stop_requested()) return fail(Error::of(Errc::interrupted, "the baseline"));
    if (auto done = connect(*world, i, clock); !done) return fail(std::move(done.error()));
    ++run.containers;
    if (request.progress) request.progress(run.containers);
  }
  run.total = Clock::now() - start;
  run.remains = std::move(world);
  return run;
}

}  // namespace

Result<Run> run_in_place(const Request& request) {
  return run(request, connect_in_place);
}

Result<Run> run_moved(const Request& request) {
  return run(request, connect_moved);
}

}  // namespace particle::baselines
