// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <particle/result.hpp>

namespace particle::fleet {

/// Lets libseccomp write a filter: an array of sock_filter. `add_rules` gets libseccomp's context and
/// returns its error, 0 for none; `otherwise` is the action for calls that no rule names.
Result<std::string> compile_filter(std::uint32_t otherwise,
                                   const std::function<int(void* context)>& add_rules);

}  // namespace particle::fleet
