// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "overlay-adapters/adapter.hpp"

namespace particle::overlay {

/// Overlay `weave`: Weave Net's router tells which nodes there are, its IPAM which of them has which
/// addresses. Packets are Particle's own VXLAN. Tested against recorded answers, not against a live
/// Weave, which is no longer maintained.
const AdapterKind& weave_kind() noexcept;

}  // namespace particle::overlay
