// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "overlay-adapters/adapter.hpp"

namespace particle::overlay {

/// Overlay `etcd`: nodes register their pools in etcd under a lease, and watch those of the others.
const AdapterKind& etcd_kind() noexcept;

}  // namespace particle::overlay
