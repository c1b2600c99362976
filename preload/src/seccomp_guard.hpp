// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "src/guard.hpp"

namespace particle::bind {

/// Enforcement by seccomp user notification. Errors: invalid_argument, exhausted.
Result<std::unique_ptr<Guard>> make_seccomp_guard(const EnforceSpec& spec);

}  // namespace particle::bind
