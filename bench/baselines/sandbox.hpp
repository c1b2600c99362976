// SPDX-License-Identifier: Apache-2.0
/// Places to work in without leaving a trace.
#pragma once

#include <particle/result.hpp>

namespace particle::baselines {

/// Gives the calling thread, and every thread and process it starts from then on, a mount namespace
/// of its own with an empty /run, which mount namespaces made of it later share. Whatever is mounted there, pinned namespaces included, is gone
/// with the last of them, however they end.
/// Errors: permission_denied without CAP_SYS_ADMIN.
Result<void> enter_private_mounts();

/// Becomes root of a new user namespace, with a network and a mount namespace that belong to it.
/// The process must have a single thread.
/// Errors: permission_denied or exhausted where the system does not let users make namespaces.
Result<void> enter_user_namespace();

}  // namespace particle::baselines
