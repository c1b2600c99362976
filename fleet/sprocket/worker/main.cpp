// SPDX-License-Identifier: Apache-2.0
// particle-worker: runs one task of a pipeline. It is started once for every task, so it is small.
#include <unistd.h>

#include "worker/run_worker.hpp"

int main() {
  // Without destructors: threads may still serve.
  ::_exit(particle::sprocket::run_worker());
}
