// SPDX-License-Identifier: Apache-2.0
/// What one instance sees as its file system, built on the stage in the instance's own mount namespace.
#pragma once

#include "spawn/failure.hpp"
#include "spawn/wire.hpp"

namespace particle::fleet::spawn {

/// The image below a writable layer of the instance's own (overlayfs over tmpfs), /dev, /proc and /sys as
/// containers expect them. The caller's root and working directory are there afterwards.
Failure build_view(const Job& job, const Start& start);

}  // namespace particle::fleet::spawn
