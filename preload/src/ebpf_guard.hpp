// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "src/guard.hpp"

namespace particle::bind {

/// Enforcement by cgroup hooks. Errors: those of ProgramSet::ensure(), busy.
Result<std::unique_ptr<Guard>> make_ebpf_guard(const EnforceSpec& spec);

}  // namespace particle::bind
