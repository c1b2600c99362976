// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <particle/result.hpp>

namespace particle::overlay::evpn {

/// What FRR prints for `command`. `sockets`: the directory of its vty sockets; empty: vtysh's default.
/// Threads: any. Time: five seconds at most.
/// Errors: not_found when there is no such program, io when it fails or does not end, with its words.
Result<std::string> ask_vtysh(const std::string& program, const std::string& sockets,
                              const std::string& command);

}  // namespace particle::overlay::evpn
