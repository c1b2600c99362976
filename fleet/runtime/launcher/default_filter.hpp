// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <particle/result.hpp>

namespace particle::fleet {

/// The usual system call filter of containers in two parts, each an array of sock_filter. To install a
/// filter the kernel compiles it, a tenth of what a start costs: so the large part is installed once in
/// the spawner, whose instances inherit it, and leaves it the calls it starts them with; the small part
/// takes those away in each instance. Together they allow what the one usual filter does.
struct Filters {
  std::string common;  ///< what it does not name is refused with EPERM
  std::string last;    ///< what it does not name is allowed
};

/// Compiled once, which takes some milliseconds.
const Result<Filters>& default_filters();

}  // namespace particle::fleet
