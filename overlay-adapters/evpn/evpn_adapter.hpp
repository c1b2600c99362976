// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapter.hpp"

namespace particle::overlay {

/// For the node that is the calling thread's network namespace. FRR need not be running yet.
/// Errors: invalid_argument for a wrong setting; errno of socket(2) and the like.
Result<std::unique_ptr<Adapter>> make_evpn_adapter(const AdapterContext& context);

}  // namespace particle::overlay
