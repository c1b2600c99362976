// SPDX-License-Identifier: Apache-2.0
/// The same job the usual way, in the same run.
#pragma once

#include <memory>
#include <vector>

#include "demo/facts.hpp"

namespace particle::cli::demo {

/// A baseline connects at most this many containers: it is linear in them, and slow.
inline constexpr std::uint64_t kMaxBaselineContainers = 100;

/// What the baselines leave: the kernel takes it apart in the background once this is gone.
using Remains = std::vector<std::shared_ptr<void>>;

/// Runs the three baselines. Their remains are kept, so that the clean-up of one slows down neither
/// the next nor anything else that is timed.
Result<Remains> compare(Facts& facts, const Watch& watch);

}  // namespace particle::cli::demo
