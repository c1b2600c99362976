// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "overlay-adapters/adapter.hpp"

namespace particle::overlay {

/// The MAC of a tenant's first pool on the node of this address: libparticle derives it, so that one who
/// knows the node knows the MAC.
Mac weave_peer_mac(const std::string& tenant, const IpAddress& vtep);

/// Errors: invalid_argument for a tenant or URL that is none.
Result<std::unique_ptr<Adapter>> make_weave_adapter(const AdapterContext& context);

}  // namespace particle::overlay
