// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <particle/result.hpp>

namespace particle::fleet {

/// The usual system call filter of containers, as an array of sock_filter: what it does not name is
/// refused with EPERM. Compiled once, which takes some milliseconds.
const Result<std::string>& default_filter();

}  // namespace particle::fleet
