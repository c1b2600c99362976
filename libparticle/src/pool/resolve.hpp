// SPDX-License-Identifier: Apache-2.0
/// From what was asked to what will be recorded: the choices that a spec leaves open. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <particle/peer.hpp>
#include <particle/pool.hpp>

#include "pool/record.hpp"
#include "pool/underlay.hpp"

namespace particle {

TenantRecord make_tenant_record(const PoolSpec& spec, const UnderlayFacts& underlay);

/// What follows from the spec alone: addresses, mode, isolation. `resolve` fills in the rest.
PoolRecord resolve_addressing(const PoolSpec& spec);

/// `siblings`: the tenant's other pools on this node. `random`: for the port's name.
/// Errors: invalid_argument when the MTU does not fit the underlay.
Result<PoolRecord> resolve(const PoolSpec& spec, const TenantRecord& tenant,
                           const std::vector<PoolRecord>& siblings, std::uint64_t random);

/// One line per field in which an existing pool differs from what is asked: "count: has 100, asked for 200".
std::vector<std::string> differences(const PoolRecord& have, const PoolRecord& want,
                                     const PoolSpec& asked);

/// Errors: conflict, naming the other pool or peer and the prefixes.
Result<void> check_overlap(const PoolRecord& want, const std::vector<PoolRecord>& siblings,
                           const std::vector<Peer>& peers);
/// Errors: conflict when the tenant has another VNI, underlay or attachment on this node.
Result<void> check_tenant(const PoolSpec& spec, const TenantRecord& tenant);

}  // namespace particle
