// SPDX-License-Identifier: Apache-2.0
/// Which endpoint a container gets: one that is leased for it here, or one that CNI leased before.
#pragma once

#include <optional>
#include <string>

#include <particle/node.hpp>
#include <particle/result.hpp>

#include "bundle.hpp"

namespace particle::runtime {

/// An endpoint that a container holds.
struct HeldEndpoint {
  std::string pool;
  std::string holder;
  Endpoint endpoint;
  std::string netns_path;
  bool in_place = false;  ///< the container's own namespace has it: it needs no other
  std::string enforce;    ///< what CNI's configuration says about bind enforcement; empty: nothing
};

/// What the container's processes find in their environment: PARTICLE_POOL, PARTICLE_IP (IPv4 where
/// there is one) and PARTICLE_IP6.
Environment environment_of(const HeldEndpoint& held);

/// Leases an endpoint of `pool`, the one at `ip` when that is given, and waits for one that cools
/// down. Whatever `holder` held before is given back first: it is of a container that is gone.
/// Errors: those of Node::lease; not_found when the pool's namespace cannot be seen from here.
Result<HeldEndpoint> lease_endpoint(const Node& node, const std::string& pool,
                                    const std::string& holder,
                                    const std::optional<std::string>& ip);

/// What `holder` holds; nullopt when that is nothing.
Result<std::optional<HeldEndpoint>> held_by(const Node& node, const std::string& holder);

/// What CNI leased for a container or sandbox of this id; nullopt when that is nothing, or its ADD
/// was cut off. Where several networks are attached it is the first that the wrapper has to act on.
Result<std::optional<HeldEndpoint>> attached_by_cni(const Node& node, const std::string& id);

/// Gives back all that `holder` holds, in whichever pools. Idempotent.
Result<void> release_all(const Node& node, const std::string& holder);

}  // namespace particle::runtime
