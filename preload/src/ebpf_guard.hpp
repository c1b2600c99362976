// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <particle/result.hpp>

#include "src/guard.hpp"

namespace particle::bind {

/// Enforcement by cgroup hooks. Errors: those of ProgramSet::ensure(), busy.
Result<std::unique_ptr<Guard>> make_ebpf_guard(const EnforceSpec& spec);

/// How the control groups of one endpoint begin: an endpoint is its pool and its number there. A
/// container's goes on with `@` and its name.
std::string group_name(const Lease& lease);

}  // namespace particle::bind
