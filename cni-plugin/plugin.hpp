// SPDX-License-Identifier: Apache-2.0
/// One call of the plugin, from what the runtime passed to what it gets back.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "errors.hpp"
#include "invocation.hpp"
#include "netconf.hpp"

namespace particle::cni {

/// Called after every step that changed something, with its name ("record.begin", "pool.veth", ...).
/// Unset but in tests, which end the process there.
using AfterStep = std::function<void(std::string_view)>;

struct Reply {
  int exit_code = 0;
  std::string out;   ///< for standard output
  std::string note;  ///< what was chosen, for who asks; no part of the answer
};

/// Checks, does the verb's work, and says what to print. Never throws for a failure of the input or
/// of the kernel.
Reply call(const Environment& environment, std::string_view input, const AfterStep& after = {});

}  // namespace particle::cni
