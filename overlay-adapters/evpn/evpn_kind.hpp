// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapter.hpp"

namespace particle::overlay {

/// Overlay `evpn`: BGP EVPN through FRR's zebra and bgpd on this node.
const AdapterKind& evpn_kind() noexcept;

}  // namespace particle::overlay
