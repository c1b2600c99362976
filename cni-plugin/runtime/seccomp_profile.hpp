// SPDX-License-Identifier: Apache-2.0
/// A container's seccomp profile (`linux.seccomp` of config.json) with the bind agent's rules in it.
/// Pure.
#pragma once

#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle_bind/agent.hpp>

#include "json_text.hpp"

namespace particle::runtime {

/// Where the runtime hands the filter's listener to, and what it says about it.
struct SeccompListener {
  std::string socket;
  std::string metadata;
};

/// The new text of `linux.seccomp`. What the profile refuses stays refused; of what it allows, the
/// calls in `rules` go by those. Without a profile everything else is allowed.
/// Errors: busy when the profile has a listener already: the kernel allows one. invalid_argument where
/// the file's shape is not the OCI runtime specification's.
Result<std::string> with_rules(const JsonText& config, const std::vector<bind::CallRule>& rules,
                               const SeccompListener& listener);

}  // namespace particle::runtime
