// SPDX-License-Identifier: Apache-2.0
/// Two scratch namespaces to try things in; the kernel removes them with all they hold.
#pragma once

#include <particle/netns.hpp>
#include <particle/types.hpp>

namespace particle::probe {

struct Scratch {
  FreshNetNs node;
  FreshNetNs guest;
};

// Far from the indices of devices that some kernels make in each new namespace (sit0, ...).
inline constexpr IfIndex kLoopback{1};
inline constexpr IfIndex kVeth{100};
inline constexpr IfIndex kBridge{101};
inline constexpr IfIndex kVxlan{102};

}  // namespace particle::probe
