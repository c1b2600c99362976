// SPDX-License-Identifier: Apache-2.0
/// Process 1 of an instance: starts the command, reaps whatever is orphaned, passes signals on, and ends
/// with the command, and with it all else in the instance.
#pragma once

#include "spawn/slot.hpp"
#include "spawn/wire.hpp"

namespace particle::fleet::spawn {

/// `notify` takes `number` once the command runs.
[[noreturn]] void run_init(const Start& start, int notify, int number, Slot& slot);

}  // namespace particle::fleet::spawn
