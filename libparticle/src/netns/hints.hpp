// SPDX-License-Identifier: Apache-2.0
/// What a user can do about the refusals that namespaces meet most.
#pragma once

namespace particle::detail {

inline constexpr const char* kNeedsSysAdmin =
    "needs CAP_SYS_ADMIN: run as root, or inside `unshare --user --map-root-user --net --mount`";
inline constexpr const char* kNeedsMountNs =
    "mounting needs CAP_SYS_ADMIN over the mount namespace: run as root, or inside "
    "`unshare --user --map-root-user --net --mount`";
inline constexpr const char* kNamespaceLimit =
    "too many network namespaces: raise user.max_net_namespaces, or remove unused ones (`particle "
    "gc`)";

}  // namespace particle::detail
