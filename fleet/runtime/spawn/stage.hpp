// SPDX-License-Identifier: Apache-2.0
/// What all instances of a job share, made once: a mount namespace that holds nothing but the parts of
/// their view. Each instance's namespace is a copy of it, and a small namespace is copied fast.
///
///     /image    the image, read-only
///     /shared   a layer above it: mount points that the image lacks, /etc/resolv.conf
///     /dev      devices, read-only        /sys   read-only, of the pool's network namespace
///     /binds/N  the host's files that instances see
///     /layer    (empty) where an instance mounts its writable layer
///     /root     (empty) where an instance mounts its root
///     /empty    stays so: instances see it in place of what tells too much of the host
#pragma once

#include "spawn/failure.hpp"
#include "spawn/wire.hpp"

namespace particle::fleet::spawn {

/// Leaves the caller in that namespace, with the stage as its root. `netns` is entered first.
Failure build_stage(const Job& job, int netns);

/// Is this a user namespace and not the first? Reads /proc the first time.
bool in_user_namespace();

}  // namespace particle::fleet::spawn
