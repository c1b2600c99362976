// SPDX-License-Identifier: Apache-2.0
/// What libbpf says goes into errors, not onto the terminal. One listener for whoever loads eBPF programs
/// in a process: libbpf has one for all of it.
#pragma once

#include <string>

#include <particle/result.hpp>

namespace particle::bpf {

/// From here on libbpf's warnings are kept, the last of each thread. Idempotent. Threads: any.
void listen_to_libbpf();

/// What it last said to this thread, such as the verifier's verdict; forgotten thereby.
std::string take_last_words();

/// An errno with libbpf's last words in place of the kernel's message.
Error bpf_error(int error, std::string operation, std::string hint = {});

}  // namespace particle::bpf
