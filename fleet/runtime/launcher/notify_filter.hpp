// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <particle/result.hpp>

namespace particle::fleet {

/// The filter that hands an instance's calls to the bind agent: an array of sock_filter. What it does not
/// name is allowed, as far as it is concerned. Compiled once, which takes a millisecond.
const Result<std::string>& notify_filter();

}  // namespace particle::fleet
