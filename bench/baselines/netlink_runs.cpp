// SPDX-License-Identifier: Apache-2.0
/// The two baselines that give every container a namespace, in process. They differ in one thing:
/// where the veth's ends are born.
#include <array>
#include <vector>

#include "baselines/links.hpp"

namespace particle::baselines {
namespace {

Result<void> connect_in_place(Remains& world, std::uint64_t i, StepClock& clock) {
  clock.begin(1);
  auto guest = create_netns();
  if (!guest) return fail(std::move(guest.error()));

  clock.begin(2);
  constexpr IfIndex kLo{1};
  constexpr IfIndex kEth0{2};
  const IfIndex port{kFirstDevice + static_cast<std::uint32_t>(i)};
  VethSpec veth;
  veth.name = "v" + std::to_string(i);
  veth.index = port;
  veth.master = bridge_of(i);
  veth.peer_name = "eth0";
  veth.peer_index = kEth0;
  veth.peer_netns_fd = guest->netns.fd();
  const std::array near_end{encode_veth(veth), encode_link_change(raise(port))};
  if (auto done = world.node.vtep.session.apply(near_end); !done) return done;

  clock.begin(6);
  const std::array guest_end{encode_link_change(raise(kLo)), encode_link_change(raise(kEth0)),
                             address_of(i, kEth0)};
  if (auto done = guest->session.apply(guest_end); !done) return done;
  world.guests.push_back(std::move(guest->netns));
  clock.end();
  return {};
}

/// S5: the near end onto the bridge and up, the guest end renamed and up.
Result<void> attach_moved(Session& vtep, Session& guest, std::uint64_t i, IfIndex far_end) {
  if (auto done = vtep.apply(attach_near_end(i)); !done) return done;
  LinkChange eth0 = raise(far_end);
  eth0.new_name = "eth0";
  const std::array requests{encode_link_change(raise(IfIndex{1})), encode_link_change(eth0)};
  return guest.apply(requests);
}

Result<void> connect_moved(Remains& world, std::uint64_t i, StepClock& clock) {
  clock.begin(1);
  auto guest = create_netns();
  if (!guest) return fail(std::move(guest.error()));

  clock.begin(2);
  const VethSpec veth = pair_to_move(i);
  Session& node = world.node.node.session;
  if (auto done = node.apply(encode_veth(veth)); !done) return done;
  clock.begin(3);
  if (auto done = node.apply(encode_link_move(veth.name, world.node.vtep.netns.fd())); !done) {
    return done;
  }
  clock.begin(4);
  if (auto done = node.apply(encode_link_move(veth.peer_name, guest->netns.fd())); !done) {
    return done;
  }
  clock.begin(5);
  auto attached = attach_moved(world.node.vtep.session, guest->session, i, veth.peer_index);
  if (!attached) return attached;
  clock.begin(6);
  if (auto done = guest->session.apply(address_of(i, veth.peer_index)); !done) return done;
  world.guests.push_back(std::move(guest->netns));
  clock.end();
  return {};
}

}  // namespace

Result<Run> run_in_place(const Request& request) {
  return run_each(request, nullptr, connect_in_place);
}

Result<Run> run_moved(const Request& request) {
  return run_each(request, nullptr, connect_moved);
}

}  // namespace particle::baselines
