// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "src/guard.hpp"

namespace particle::bind {

/// Enforcement by LD_PRELOAD. Errors: not_found when libparticle_bind.so is not installed.
Result<std::unique_ptr<Guard>> make_preload_guard(const EnforceSpec& spec);

/// Where the library is. Errors: not_found, naming every place.
Result<std::string> find_shim();

}  // namespace particle::bind
