// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace particle::probe {

/// Does the calling thread hold capability `number` (CAP_NET_ADMIN, ...) in its effective set?
bool has_capability(int number) noexcept;

}  // namespace particle::probe
