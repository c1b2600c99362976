// SPDX-License-Identifier: Apache-2.0
/// What the baselines that speak netlink themselves share.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <particle/addr.hpp>

#include "baselines/baseline.hpp"
#include "baselines/scratch_node.hpp"
#include "baselines/step_clock.hpp"

namespace particle::baselines {

/// What a run leaves behind: the node, its VTEP and the containers' namespaces.
struct Remains {
  ScratchNode node;
  std::vector<NetNs> guests;
  std::optional<Session> shared;  ///< in the namespace that all containers share, where they do
};

inline LinkChange raise(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return change;
}

/// Address of container `i` on `device`, as the paper's baseline gives it.
Message address_of(std::uint64_t i, IfIndex device);

/// The pair of container `i`, both ends in the session's namespace, to be moved from there.
/// A device keeps its index when it is moved, as long as the index is free there.
VethSpec pair_to_move(std::uint64_t i);

/// The near end on its bridge, and up.
Message attach_near_end(std::uint64_t i);

/// Connects one container; the clock is told what begins.
using Connect = Result<void> (*)(Remains&, std::uint64_t i, StepClock&);
/// What there is to do once, before the first container.
using Prepare = Result<void> (*)(Remains&, StepClock&);

/// Makes the node, lets `make` connect its containers within the measured time, and checks the result.
Result<Run> run_on_node(const Request& request,
                        const std::function<Result<void>(Remains&, Run&)>& make);

/// The same, one container after the other.
Result<Run> run_each(const Request& request, Prepare prepare, Connect connect);

/// The namespace of container `i`: its own, or the one that all share.
Result<NetNs> guest_of(const Remains& world, std::uint64_t i);

}  // namespace particle::baselines
