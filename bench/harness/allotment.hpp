// SPDX-License-Identifier: Apache-2.0
/// How often each figure is measured when there is not time for all repeats.
#pragma once

#include <vector>

namespace particle::bench {

/// Repeats of each task, from 1 to `repeats`. `seconds` is what measuring each once took (below 0: it
/// failed, and gets 1); the first time is spent, and `left` is for the others. Every task may take
/// the same time in all, so that what is quick gets all its repeats first. Pure.
std::vector<unsigned> allot(const std::vector<double>& seconds, unsigned repeats, double left);

/// Is a task that gets `allotted` of `repeats` rounds measured in this one (from 0)? Its rounds are
/// spread evenly over the run; the first is always one of them.
bool is_due(unsigned allotted, unsigned repeats, unsigned round);

}  // namespace particle::bench
