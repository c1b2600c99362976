// SPDX-License-Identifier: Apache-2.0
/// A worker's life: one task, then serving its outputs until they were pulled.
#pragma once

namespace particle::sprocket {

/// Reads the task from standard input; answers on standard output. Returns the exit status.
int run_worker();

}  // namespace particle::sprocket
