// SPDX-License-Identifier: Apache-2.0
/// The agent's log on stderr: for people on a terminal, with syslog priorities (`<6>`, sd-daemon(3))
/// otherwise, which journald takes off and files under.
#pragma once

#include <functional>
#include <string>

#include "overlay-adapters/agent/agent.hpp"

namespace particle::cli {

std::function<void(overlay::Severity, const std::string&)> open_agent_log(int verbosity);

}  // namespace particle::cli
