// SPDX-License-Identifier: Apache-2.0
/// The demo from beginning to end.
#pragma once

#include "demo/facts.hpp"

namespace particle::cli::demo {

/// Needs nothing but the binary, and `ip` for one of the comparisons. The process must have a
/// single thread. Leaves nothing behind, whatever happens, unless `options.keep` is set and it
/// succeeds. Errors: permission_denied, unsupported, interrupted, or whatever a step of it said.
/// What was tried and disproved is no error: see Facts::proven().
Result<Facts> run(const Options& options, const Watch& watch);

}  // namespace particle::cli::demo
