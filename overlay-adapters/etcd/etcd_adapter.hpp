// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "overlay-adapters/adapter.hpp"

namespace particle::overlay {

/// Its connection is made in the network namespace of the calling thread, by a thread of its own.
/// Errors: invalid_argument for settings that are wrong, with all of them in details; the errno of
/// eventfd(2).
Result<std::unique_ptr<Adapter>> make_etcd_adapter(const AdapterContext& context);

}  // namespace particle::overlay
