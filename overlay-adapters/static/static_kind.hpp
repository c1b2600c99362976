// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapter.hpp"

namespace particle::overlay {

/// Overlay `static`: the peers are those that a file lists (announcement.hpp), no more and no fewer.
/// The same file can serve every node: what it says of the node itself is passed over.
const AdapterKind& static_kind() noexcept;

}  // namespace particle::overlay
