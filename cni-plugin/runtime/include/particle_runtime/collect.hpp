// SPDX-License-Identifier: Apache-2.0
/// What particle-runc and particle-cni hold for containers that are gone: `particle gc` and
/// `particle-runc --particle-gc` give it back.
#pragma once

#include <vector>

#include <particle/node.hpp>
#include <particle/result.hpp>

namespace particle::runtime {

/// Gives back the lease, the enforcement and the bundle of every container that its OCI runtime does not
/// know any more, and the lease of every CNI attachment whose network namespace is gone. What is being
/// made or deleted just now is left alone. With `dry_run` it only says so.
///
/// Records of nodes that are gone are removed; those of other nodes, that is, of other network
/// namespaces, are out of reach. Goes on past single failures, which become findings with
/// GcAction::kept.
/// Idempotence: what was given back is not found again.
std::vector<GcFinding> collect_containers(const Node& node, bool dry_run);

/// Does particle-runc or particle-cni keep a record of this lease, so that collect_containers() judges
/// it? Also when that cannot be read.
bool is_recorded(const Node& node, const Lease& lease);

}  // namespace particle::runtime
