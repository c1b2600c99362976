// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace particle::test {

/// Marks the running test case as skipped: `return skip("needs VXLAN in the kernel");`.
/// For what this kernel or user cannot do. The process then exits with 77 unless a check failed.
void skip(std::string_view reason);

/// The same for a program that could not be had, such as containerd or FRR.
/// With CI=true `make test` counts such a skip as a failure.
void skip_component(std::string_view component, std::string_view reason);

/// How many times skip() or skip_component() was called in this process.
int skip_count();

}  // namespace particle::test
