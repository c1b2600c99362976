// SPDX-License-Identifier: Apache-2.0
/// Guests: containers with a network namespace of their own, connected as endpoints of a pool of
/// isolation container. The namespace is pinned like one that the pool made; beside the pin, guest-<i>
/// says which device in it is the pool's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pool/planner.hpp"

namespace particle {

/// The content of guest-<i>: `eth0 02:00:5e:10:00:01`.
struct GuestRecord {
  std::string device;
  Mac mac;
};
std::string to_text(const GuestRecord& guest);
/// Errors: corrupt_state, naming `path`.
Result<GuestRecord> parse_guest(std::string_view text, const std::string& path);
/// nullopt when the endpoint's namespace is the pool's own.
Result<std::optional<GuestRecord>> load_guest(const Layout& layout, const std::string& pool,
                                              std::uint64_t index);

/// The pool's device in the guest's namespace, if it is there: by its link alias or, before that was
/// set, by its MAC.
const ObservedLink* find_guest_link(const ObservedNamespace& have, const PoolRecord& pool,
                                    const GuestRecord& guest);

/// The identities of a new veth: a guest's indices may be taken, so both ends' are random.
struct GuestPorts {
  PortIdentity near;
  IfIndex far;
};
/// The steps that the endpoint lacks. `source`: where the namespace is found while it is not pinned.
/// Pure. The caller has seen that the device's name is free or the pool's.
void plan_guest(Plan& plan, const Layout& layout, const PoolRecord& pool, std::uint64_t index,
                const GuestRecord& guest, const GuestPorts& ports, const ObservedNamespace& have,
                const std::string& source, bool pinned);

}  // namespace particle
