// SPDX-License-Identifier: Apache-2.0
/// The library's values as JSON. docs/json-schema/ documents every shape; keys are never renamed.
#pragma once

#include <nlohmann/json.hpp>

#include <particle/node.hpp>

namespace particle::cli {

using Json = nlohmann::json;

Json pool_to_json(const PoolInfo& pool);
Json lease_to_json(const Lease& lease);
Json leases_to_json(const std::vector<Lease>& leases);
Json peer_to_json(const Peer& peer);
Json peer_to_json(const PeerInfo& info);
/// The steps of a dry run.
Json plan_to_json(const Plan& plan);
/// Step times: {"steps": [...], "not_needed": {...}, "total_ms": ...}.
Json timings_to_json(const Outcome& outcome);
Json finding_to_json(const GcFinding& finding);
Json error_to_json(const Error& error, int exit_code);

}  // namespace particle::cli
