// SPDX-License-Identifier: Apache-2.0
/// Giving back what an attachment has: DEL's work, which GC and a failed ADD do as well.
#pragma once

#include <string>

#include "commands/commands.hpp"

namespace particle::cni {

/// Takes the attachment apart, whatever is left of it: mount, lease, record. `fallback_pool` is
/// where its lease is looked for when the record cannot be read (empty: everywhere).
/// Idempotence: nothing there is success.
/// Errors: later_state (the record is left alone), and whatever could not be given back.
Answer<void> detach(const Call& call, const AttachmentKey& key, const std::string& fallback_pool);

}  // namespace particle::cni
