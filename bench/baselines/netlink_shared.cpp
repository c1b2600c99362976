// SPDX-License-Identifier: Apache-2.0
/// Designs 1 and 2 of the dissertation's section 3.2.1: the containers share one namespace, but each
/// still has a veth of its own, both ends moved.
#include <array>
#include <string>
#include <vector>

#include "baselines/links.hpp"

namespace particle::baselines {
namespace {

constexpr IfIndex kLo{1};

/// Raises container `i`'s device in the shared namespace, where every device needs a name of its own.
Message raise_far_end(std::uint64_t i) {
  LinkChange device = raise(pair_to_move(i).peer_index);
  device.new_name = "eth" + std::to_string(i);
  return encode_link_change(device);
}

/// S1, once: the root namespace that all containers share.
Result<void> make_root(Remains& world, StepClock& clock) {
  clock.begin(1);
  auto root = create_netns();
  if (!root) return fail(std::move(root.error()));
  if (auto done = root->session.apply(encode_link_change(raise(kLo))); !done) return done;
  world.guests.push_back(std::move(root->netns));
  world.shared.emplace(std::move(root->session));
  clock.end();
  return {};
}

Result<void> connect_shared(Remains& world, std::uint64_t i, StepClock& clock) {
  const NetNs& root = world.guests.front();
  const VethSpec veth = pair_to_move(i);
  Session& node = world.node.node.session;
  clock.begin(2);
  if (auto done = node.apply(encode_veth(veth)); !done) return done;
  clock.begin(3);
  if (auto done = node.apply(encode_link_move(veth.name, world.node.vtep.netns.fd())); !done) {
    return done;
  }
  clock.begin(4);
  if (auto done = node.apply(encode_link_move(veth.peer_name, root.fd())); !done) return done;
  clock.begin(5);
  if (auto done = world.node.vtep.session.apply(attach_near_end(i)); !done) return done;
  if (auto done = world.shared->apply(raise_far_end(i)); !done) return done;
  clock.begin(6);
  auto addressed = world.shared->apply(address_of(i, veth.peer_index));
  clock.end();
  return addressed;
}

using Encode = Message (*)(const Remains&, std::uint64_t);

Message make_pair_message(const Remains& /*world*/, std::uint64_t i) {
  return encode_veth(pair_to_move(i));
}
Message move_near_end(const Remains& world, std::uint64_t i) {
  return encode_link_move(pair_to_move(i).name, world.node.vtep.netns.fd());
}
Message move_far_end(const Remains& world, std::uint64_t i) {
  return encode_link_move(pair_to_move(i).peer_name, world.guests.front().fd());
}
Message attach(const Remains& /*world*/, std::uint64_t i) {
  return attach_near_end(i);
}
Message bring_up(const Remains& /*world*/, std::uint64_t i) {
  return raise_far_end(i);
}
Message give_address(const Remains& /*world*/, std::uint64_t i) {
  return address_of(i, pair_to_move(i).peer_index);
}

/// One step for all containers. The session sends as many requests at once as its socket allows.
Result<void> for_all(const Request& request, const Remains& world, Session& session,
                     Encode encode) {
  std::vector<Message> messages;
  messages.reserve(request.containers);
  for (std::uint64_t i = 0; i < request.containers; ++i) messages.push_back(encode(world, i));
  return session.apply(messages, {.progress = {}, .stop = request.stop});
}

struct Phase {
  std::size_t step;
  Session& session;
  Encode encode;
};

Result<void> connect_in_batches(const Request& request, Remains& world, Run& run) {
  StepClock clock(run);
  if (auto done = make_root(world, clock); !done) return done;
  Session& guest = *world.shared;
  Session& node = world.node.node.session;
  Session& vtep = world.node.vtep.session;
  const std::array<Phase, 6> phases{{{2, node, make_pair_message},
                                     {4, node, move_far_end},
                                     {3, node, move_near_end},
                                     {5, vtep, attach},
                                     {5, guest, bring_up},
                                     {6, guest, give_address}}};
  for (const Phase& phase : phases) {
    if (request.stop.stop_requested()) return fail(Error::of(Errc::interrupted, "the baseline"));
    clock.begin(phase.step);
    if (auto done = for_all(request, world, phase.session, phase.encode); !done) return done;
  }
  return {};
}

}  // namespace

Result<Run> run_shared_namespace(const Request& request) {
  return run_each(request, make_root, connect_shared);
}

Result<Run> run_batched(const Request& request) {
  return run_on_node(request, [&](Remains& world, Run& run) -> Result<void> {
    auto connected = connect_in_batches(request, world, run);
    // The session reports what it did not send as cancelled.
    if (!connected && request.stop.stop_requested()) {
      return fail(Error::of(Errc::interrupted, "the baseline"));
    }
    if (!connected) return connected;
    run.containers = request.containers;
    if (request.progress) request.progress(run.containers);
    return {};
  });
}

}  // namespace particle::baselines
