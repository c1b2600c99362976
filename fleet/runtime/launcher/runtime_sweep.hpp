// SPDX-License-Identifier: Apache-2.0
/// What is left of containers of another runtime when its clients, or the launcher, were killed.
#pragma once

#include <string>
#include <vector>

#include <particle/node.hpp>

#include "launcher/runtime.hpp"

namespace particle::fleet {

/// A container's name for its runtime. Pure.
std::string container_id(const Node& node, const std::string& job, std::uint64_t token);
/// Where runc keeps its records, below the directory of a job's bundles. Pure.
std::string runc_root(const std::string& directory);

/// The container with all that runs in it. Idempotence: one that is not there is no error.
void delete_container(const RuntimeChoice& choice, const std::string& directory,
                      const std::string& id);
/// With its mount.
void remove_bundle(const std::string& bundle);

/// Ends clients, containers and bundles of a job whose launcher is dead, and says each in a line. `place` is
/// the job's directory.
std::vector<std::string> end_containers(const Node& node, const std::string& place,
                                        const std::string& job);

}  // namespace particle::fleet
